import Foundation
import Tensors

/// The samples of an `.npz` file: arrays with samples along axis 0, read a row at a time.
final class NPZSamples: SampleStream {
    private let rows: NPZRowReader
    private let form: NPZSampleForm

    init(_ url: URL) throws {
        rows = try NPZRowReader(url)
        form = try NPZSampleForm(rows.arrays, path: url.path)
    }

    /// The number of samples, from the headers alone.
    static func count(_ url: URL) throws -> Int {
        try NPZSamples(url).rows.rowCount
    }

    func next() throws -> Sample? {
        let index = rows.position
        return try rows.next().map { try form.sample(index, $0) }
    }

    func skip(_ count: Int) throws -> Int { try rows.skip(count) }
}

/// What the arrays of an `.npz` file are to a sample. An array named `labels`, `label` or `y` (the first of these there
/// is) holds the labels, one integer per sample, and is no input.
struct NPZSampleForm {
    static let labelNames = ["labels", "label", "y"]

    private let path: String
    private let arrays: [NPZRowReader.Array]
    private let labelIndex: Int?

    init(_ arrays: [NPZRowReader.Array], path: String) throws {
        self.path = path
        self.arrays = arrays
        let names = arrays.map(\.name)
        labelIndex = Self.labelNames.lazy.compactMap { names.firstIndex(of: $0) }.first
        if let labelIndex {
            let array = arrays[labelIndex]
            guard !array.elementType.isFloatingPoint, array.elementType != .bool, array.rowShape.count == 1 else {
                throw DatasetError(
                    .malformedLabels, file: path, key: array.name, expected: "one integer per sample",
                    found: "\(array.elementType.rawValue) \(array.rowShape)")
            }
        }
        let rowBytes = arrays.reduce(0) { $0 + $1.rowShape.count * $1.elementType.size }
        guard rowBytes <= SampleLimits.bytes else {
            throw DatasetError(
                .malformedArchive, file: path, expected: "<= \(SampleLimits.bytes) bytes per sample",
                found: "\(rowBytes)")
        }
    }

    /// The sample in a row of the arrays.
    func sample(_ index: Int, _ row: [Tensor]) throws -> Sample {
        let key = String(index)
        var inputs: [String: Tensor] = [:]
        var label: Int?
        for (position, (array, tensor)) in zip(arrays, row).enumerated() {
            if position == labelIndex {
                label = try tensor.label(of: key, in: path)
            } else {
                inputs[array.name] = tensor
            }
        }
        guard !inputs.isEmpty else {
            throw DatasetError(.missingContent, file: path, key: key, expected: "arrays", found: "labels")
        }
        return Sample(key: key, source: path, content: .arrays(inputs), label: label)
    }
}
