import Datasets
import Foundation
import Graph
import JobFile
import ONNX
import Support
import Tensors

/// A commented job file for a model and its data, as text.
package struct JobDraft {
    /// The job file.
    package let text: String
    /// Whether it lacks the data, so that it does not run before a path is filled in.
    package let isIncomplete: Bool

    /// - Parameters:
    ///   - model: the ONNX file.
    ///   - data: path or glob as the user gave it; nil where there is none yet.
    ///   - folder: of the job file, which its relative paths start at.
    /// - Throws: the reading error of the model; `DatasetError` where the data is none, or holds no sample.
    package init(model: URL, data: String?, folder: URL) throws {
        let graph = try attributingErrors(to: model.path) { try Graph(importing: ONNXFile.read(model)) }
        let found = try data.map { try Found(path: $0, for: graph, folder: folder) }
        isIncomplete = found == nil
        text = Self.text(model: Self.path(model, from: folder), graph, found)
    }

    /// What the data is found to be.
    private struct Found {
        /// As the job file names it.
        var path: String
        var evaluation: String?
        var count: Int
        var isImages: Bool
        var hasLabels: Bool

        init(path given: String, for graph: Graph, folder: URL) throws {
            var place = URL(fileURLWithPath: given).standardizedFileURL.path
            if FileKind(at: place) == .folder {
                let names = try FileManager.default.contentsOfDirectory(atPath: place).sorted()
                if let suffix = [".tar", ".npz"].first(where: { suffix in names.contains { $0.hasSuffix(suffix) } }) {
                    let first = names.first { $0.hasSuffix(suffix) } ?? ""
                    // A folder of files that are a sample each is named itself.
                    if suffix == ".tar" || Self.holdsRows("\(place)/\(first)", for: graph) { place += "/*\(suffix)" }
                } else if names.contains("train"),
                    let other = ["val", "validation", "valid", "test"].first(where: names.contains)
                {
                    evaluation = JobDraft.path(URL(fileURLWithPath: "\(place)/\(other)"), from: folder)
                    place += "/train"
                }
            }
            let source = try DatasetSource(path: place, relativeTo: folder)
            count = try source.count()
            guard count > 0, let first = try source.open().next() else {
                throw DatasetError(.noMatch, file: given, expected: "at least one sample", found: "none")
            }
            if case .image = first.content { isImages = true } else { isImages = false }
            hasLabels = first.label != nil
            path = JobDraft.path(URL(fileURLWithPath: place), from: folder)
        }

        /// Whether the arrays of an `.npz` have as many axes as the model's inputs, the first of samples, and not those of one sample.
        private static func holdsRows(_ path: String, for graph: Graph) -> Bool {
            guard let rows = try? NPZRowReader(URL(fileURLWithPath: path)) else { return false }
            return graph.inputs.allSatisfy { input in
                guard let array = rows.arrays.first(where: { $0.name == input.name }), let declared = input.dimensions
                else { return true }
                return array.rowShape.rank + 1 >= declared.count
            }
        }
    }

    /// Relative where the file lies in the job's folder or below.
    private static func path(_ url: URL, from folder: URL) -> String {
        let (path, root) = (url.standardizedFileURL.path, folder.standardizedFileURL.path)
        let prefix = root.hasSuffix("/") ? root : root + "/"
        return path.hasPrefix(prefix) ? String(path.dropFirst(prefix.count)) : path
    }

    private static func quoted(_ text: String) -> String {
        "\"" + text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(of: "\"", with: "\\\"") + "\""
    }

    private static func text(model: String, _ graph: Graph, _ data: Found?) -> String {
        let path = quoted(data?.path ?? "FILL IN: a folder of class folders, shards-*.tar, or arrays.npz")
        let taken = min(data?.count ?? 500, 500)
        var lines = [
            "# A job of quantsim. What would happen: quantsim check FILE; do it: quantsim run FILE.",
            "# Relative paths start at this file's folder. Unknown keys are errors.", "model: \(quoted(model))", "",
            "dataset:",
            "  # What ranges of activations are observed on: some hundred samples that are like those in use.",
            "  calibration: {path: \(path), samples: \(taken)}",
        ]
        if let data, data.hasLabels || data.evaluation != nil {
            let source = data.evaluation ?? data.path
            if data.evaluation == nil { lines.append("  # Better other samples than those of the calibration.") }
            lines.append("  evaluation: {path: \(quoted(source))}")
        } else {
            lines.append("  # Accuracy before and after, where samples have labels:")
            lines.append("  # evaluation: {path: \(path)}")
        }
        if data?.isImages ?? Self.takesImages(graph) {
            let (height, width, isKnown) = imageSize(of: graph)
            lines += [
                "  # Of images: height and width\(isKnown ? " as the model takes them" : ", which the model leaves open");"
                    + " then pixels/255, minus mean, divided by std."
            ]
            if !isKnown {
                lines.append(
                    "  # size: keep leaves images as they are; {buckets: [[224, 224], [192, 256]]} takes the nearest shape."
                )
            }
            lines += [
                "  # CHECK mean and std: they must be those of the model's training. These are ImageNet's.",
                "  image: {size: [\(height), \(width)], mean: [0.485, 0.456, 0.406], std: [0.229, 0.224, 0.225]}",
            ]
        } else {
            let inputs = graph.inputs.map { "\($0.name) (\($0.elementType.rawValue) \($0.declaration))" }
            lines.append("  # Arrays of the samples, by the model's inputs: \(inputs.joined(separator: ", "))")
        }
        lines += [
            "  batch: 32                # samples per forward pass, at most",
            "  on_bad_sample: stop      # or skip: leave out and count what cannot be decoded", "", "quantization:",
            "  config: default          # where quantizers stand: default, default_per_channel, htp_v73, or a file",
            "  scheme: tf_enhanced      # tf, tf_enhanced, percentile, mse or entropy", "  activation_bitwidth: 8",
            "  parameter_bitwidth: 8", "", "post_training: [fold_batch_norms]", "",
            "# Training with quantizers, where accuracy suffered; needs labels for cross_entropy, none for distillation:",
            "# training: {epochs: 5, loss: cross_entropy, optimizer: {name: sgd, learning_rate: 1.0e-4, momentum: 0.9}}",
            "# and dataset.training with a path of its samples.", "",
            "# Also \"0.6.1\" and \"2.0.0\"; onnx_qdq: true adds a model with QuantizeLinear and DequantizeLinear nodes.",
            "export: {encodings: [\"1.0.0\"]}",
        ]
        return lines.joined(separator: "\n") + "\n"
    }

    /// Whether the model's one input may be of images.
    private static func takesImages(_ graph: Graph) -> Bool {
        guard graph.inputs.count == 1, let input = graph.inputs.first else { return false }
        return input.elementType.isFloatingPoint && input.dimensions?.count ?? 4 == 4
    }

    private static func imageSize(of graph: Graph) -> (height: Int, width: Int, isKnown: Bool) {
        guard let dimensions = graph.inputs.first?.dimensions, dimensions.count == 4,
            case .fixed(let height) = dimensions[2], case .fixed(let width) = dimensions[3]
        else { return (224, 224, false) }
        return (height, width, true)
    }
}
