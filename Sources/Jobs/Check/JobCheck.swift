import Datasets
import Execution
import Foundation
import Graph
import JobFile
import Nodes
import ONNX
import Passes
import Support
import Tensors

/// What a job would do, found out in seconds and without any work: nothing is written, no worker is asked.
package struct JobCheck {
    /// A part of what was found, with its lines for people.
    package struct Section: Equatable, Sendable {
        /// Its title.
        package var title: String
        /// In order; empty where there is nothing to say.
        package var lines: [String]
    }

    /// What was found, in order.
    package private(set) var sections: [Section] = []
    /// Why the job cannot run: one error of each part that has one, in the order in which a run would meet them.
    package private(set) var problems: [any Error] = []

    /// - Parameters:
    ///   - path: of the job file, as the user gave it.
    ///   - seconds: how long to look at the samples of a source.
    /// - Throws: `JobError` where the job file cannot be read or is not one.
    package init(job path: String, secondsPerSource seconds: Double = 2) throws {
        var job = try JobFile.read(path)
        let model = job.url(for: job.model)
        let imported = inspectModel(model)

        let calibration = source("calibration", job.dataset.calibration, of: job, seconds) { try job.source($0) }
        let training = source("training", job.dataset.training, of: job, seconds) { _ in try job.trainingSource() }
        let evaluation = source("evaluation", job.dataset.evaluation, of: job, seconds) { _ in
            try job.evaluationSource()
        }
        if let imported, let calibration {
            attempt { check in
                try ComputeLibrary.pin(try job.pinnedInstructionSet())
                let preparation = try ModelPreparation(job, source: calibration, training: training, imported: imported)
                let samples = try SampleChecks(
                    job, of: [calibration, training, evaluation].compactMap(\.self), fit: preparation)
                if !samples.notes.isEmpty {
                    check.sections.append(Section(title: "samples into the model", lines: samples.notes))
                }
                if let equalization = preparation.equalization {
                    check.sections.append(
                        Section(title: "cross-layer equalization", lines: equalization.outcome.lines))
                }
                check.sections.append(Section(title: "quantizers", lines: Self.quantizers(preparation)))
                let estimate = try CostEstimate(
                    job, preparation, calibration: calibration, training: training, evaluation: evaluation)
                check.sections.append(Section(title: "memory and time", lines: estimate.lines))
            }
        }
        if !problems.isEmpty { listRefusedNodes(of: model, job, calibration) }
        sections.append(Section(title: "defaults that apply", lines: try Self.defaults(of: job)))
    }

    private mutating func attempt(_ body: (inout JobCheck) throws -> Void) {
        do { try body(&self) } catch { problems.append(error) }
    }

    // MARK: The model

    /// Adds all nodes that are not computed to what is said of the model, if it can be read.
    private mutating func listRefusedNodes(of model: URL, _ job: JobFile, _ source: DatasetSource?) {
        guard let title = sections.firstIndex(where: { $0.title == "model" }), let file = try? ONNXFile.read(model),
            let nodes = try? Graph.refusedNodes(
                of: file,
                inputShapes: { graph in
                    let inputs = source.flatMap { try? job.inputs(of: graph, from: $0) }
                    return inputs?.shapes(samples: graph.fixedBatch ?? 1)
                })
        else { return }
        sections[title].lines += nodes.map(\.line)
    }

    /// - Returns: the model, where a job can use it.
    private mutating func inspectModel(_ url: URL) -> ImportedModel? {
        var usable: ImportedModel?
        attempt { check in
            let file = try ONNXFile.read(url)
            let nodes = file.model.graph.node
            check.sections.append(Section(title: "model", lines: ["\(url.path), \(nodes.count) nodes"]))
            let imported = try attributingErrors(to: url.path) { try ImportedModel(file) }
            let graph = imported.graph
            for input in graph.inputs {
                let open = (input.dimensions ?? []).contains { if case .fixed = $0 { false } else { true } }
                let dynamic = input.dimensions == nil || open ? ", dynamic" : ""
                let type = input.elementType.rawValue
                check.sections[0].lines.append("input \(input.name): \(type) \(input.declaration)\(dynamic)")
            }
            for output in graph.outputs {
                check.sections[0].lines.append("output \(output.name): \(output.declaration)")
            }
            usable = imported
        }
        return usable
    }

    private static func quantizers(_ preparation: ModelPreparation) -> [String] {
        let placement = preparation.placement
        func line(_ what: String, _ all: [(tensor: String, enabled: Bool, bits: Int)]) -> [String] {
            let on = all.filter(\.enabled)
            let bits = Dictionary(grouping: on, by: \.bits).sorted { $0.key < $1.key }
                .map { "\($0.value.count) of \($0.key) bits" }.joined(separator: ", ")
            let places = on.prefix(4).map(\.tensor).joined(separator: ", ") + (on.count > 4 ? ", ..." : "")
            return ["\(what): \(on.count) of \(all.count) quantized (\(bits)), at \(places)"]
        }
        return line(
            "activations", placement.activations.map { ($0.tensor, $0.enabled, $0.settings.bitwidth) })
            + line("parameters", placement.parameters.map { ($0.tensor, $0.enabled, $0.settings.bitwidth) })
            + ["each of them, and why: quantsim inspect MODEL --job JOB"]
    }

    // MARK: The data

    private mutating func source(
        _ name: String, _ wanted: JobFile.Source?, of job: JobFile, _ seconds: Double,
        _ open: (JobFile.Source) throws -> DatasetSource?
    ) -> DatasetSource? {
        guard let wanted else { return nil }
        do {
            var whole = wanted
            whole.samples = nil
            let found = try job.source(whole).count()
            guard let source = try open(wanted) else { return nil }
            let taken = try source.count()
            var lines = [
                "\(wanted.path): \(source.files.count) of kind \(source.kind.rawValue), \(found) samples found, "
                    + "\(taken) taken"
            ]
            if let line = try source.passedOverLine(wanted.path) { lines.append(line) }
            lines += try SampleCensus(source, seconds: seconds).lines(of: taken, policy: job.dataset.onBadSample)
            sections.append(Section(title: name, lines: lines))
            return source
        } catch {
            problems.append(error)
            return nil
        }
    }

    // MARK: The job

    /// Every setting that the job file leaves to its default, as `key: value`.
    static func defaults(of job: JobFile) throws -> [String] {
        func flatten(_ value: JSONValue, _ path: String) -> [String] {
            if case .object(let members) = value {
                return members.sorted { $0.key < $1.key }.flatMap {
                    flatten($0.value, path.isEmpty ? $0.key : "\(path).\($0.key)")
                }
            }
            return job.lines[path] == nil ? ["\(path): \(text(value))"] : []
        }
        func text(_ value: JSONValue) -> String {
            switch value {
            case .string(let text): text
            case .array(let items): "[" + items.map(text).joined(separator: ", ") + "]"
            default: value.summary
            }
        }
        return flatten(try JSONValue.parse(job.stableJSON()), "")
    }
}

extension RefusedNode {
    /// For people: the node with its inputs, and what would be computed.
    fileprivate var line: String {
        let types = inputs.map { $0.map { "\($0.elementType.rawValue) \($0.shape)" } ?? "unknown" }
        let reason =
            switch (error.expected, error.found) {
            case (let expected?, let found?): "expected \(expected), found \(found)"
            case (let expected?, nil): "expected \(expected)"
            default: "quantsim operators lists what is computed"
            }
        return "not supported: node \"\(name)\" (\(opType)) of \(types.joined(separator: ", ")): \(reason)"
    }
}
