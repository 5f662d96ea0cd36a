import Datasets
import JobFile
import Passes
import Tensors

extension JobFile {
    /// Whether the samples of all sources are what the model takes, as far as headers and first samples tell: hours of
    /// calibration must not end at the first sample of the evaluation.
    /// - Parameter inputs: what samples become, as the calibration's first sample has it.
    /// - Throws: `DatasetError` naming the file and the array, or `JobError` where images are given and no arrays, or the
    ///   other way round.
    func checkSamples(of sources: [DatasetSource], fit inputs: [PassSpecification.Input]) throws {
        for source in sources {
            for file in source.files where source.kind == .npz {
                try Self.check(try NPZRowReader(file).arrays, of: file.path, fit: inputs)
            }
            guard source.kind != .npz, let sample = try firstSample(of: source) else { continue }
            switch sample.content {
            case .image:
                guard dataset.image != nil else {
                    throw error(.missingKey, key: "dataset.image", expected: "size, mean and std for image samples")
                }
            case .arrays(let arrays):
                for input in inputs {
                    try Self.check(
                        input, arrays[input.name]?.shape, among: arrays.keys.sorted(), file: sample.source,
                        key: sample.key)
                }
            }
        }
    }

    private static func check(
        _ arrays: [NPZRowReader.Array], of file: String, fit inputs: [PassSpecification.Input]
    ) throws {
        for input in inputs {
            let shape = arrays.first { $0.name == input.name }?.rowShape
            try check(input, shape, among: arrays.map(\.name), file: file, key: "0")
        }
    }

    private static func check(
        _ input: PassSpecification.Input, _ shape: Shape?, among names: [String], file: String, key: String
    ) throws {
        guard input.preprocessing == nil else {
            throw DatasetError(
                .missingContent, file: file, key: key, expected: "an image, as dataset.image says",
                found: "arrays named \(names.joined(separator: ", "))")
        }
        guard let shape else {
            throw DatasetError(
                .missingContent, file: file, key: key, expected: "an array named \(input.name)",
                found: names.joined(separator: ", "))
        }
        guard shape.dimensions == input.dimensions else {
            throw DatasetError(
                .corruptArray, file: file, key: key, expected: "\(input.name) of shape \(Shape(input.dimensions))",
                found: "\(shape)")
        }
    }
}
