import Datasets
import Foundation
import Tensors

/// The samples of a shard, decoded: one float32 array per graph input, with the samples on axis 0.
package struct SampleBatch: Sendable {
    /// Samples that were decoded.
    package var count: Int
    /// [count, dimensions of the input...] by input name.
    package var inputs: [String: Tensor]
    /// What outputs are compared with, [count, dimensions of the output...], where that was asked for.
    package var targets: Tensor?
    /// One class per sample; empty where the samples have no labels.
    package var labels: [Int]
    /// Samples that could not be decoded and are not among `count`.
    package var skipped: Int
    /// Of those that could not be decoded.
    package var badNames = BadSampleNames()

    /// Decodes samples in their order. Bad ones are left out and counted, or end the pass.
    /// - Parameters:
    ///   - targets: arrays of the samples beside the inputs.
    ///   - classes: labels must be below; nil where labels do not matter.
    ///   - needsLabels: a sample without one is bad.
    ///   - augment: what augmentation does to the image of a sample, by its place among `samples`.
    package init(
        decoding samples: [Sample], as specification: PassSpecification, targets: PassSpecification.Input? = nil,
        classes: Int? = nil, needsLabels: Bool = false, augment: (Int) -> Augmentation.Choice? = { _ in nil }
    ) throws {
        let decoder = ImageDecoder()
        // Samples are decoded into the memory of the tensors; what bad ones leave unused at the end is not part of them.
        let inputColumns = specification.inputs.map { Column($0, capacity: samples.count) }
        let targetColumn = targets.map { Column($0, capacity: samples.count) }
        let columns = inputColumns + (targetColumn.map { [$0] } ?? [])
        var labels: [Int] = []
        var unlabelled = 0
        count = 0
        skipped = 0
        for (place, sample) in samples.enumerated() {
            do {
                for column in columns {
                    try Self.fill(
                        column[count], from: sample, as: column.input, using: decoder, augmentedBy: augment(place))
                }
                if needsLabels, sample.label == nil {
                    throw DatasetError(
                        .invalidLabel, file: sample.source, key: sample.key, expected: "a class", found: "none")
                }
                if let classes { try Self.checkLabel(of: sample, classes: classes) }
                if let label = sample.label { labels.append(label) } else { unlabelled += 1 }
                count += 1
            } catch let error as DatasetError where error.isBadSample && specification.skipsBadSamples {
                skipped += 1
                badNames.add(key: sample.key, fault: error.code.rawValue)
            }
        }
        self.labels = unlabelled == 0 ? labels : []
        inputs = [:]
        self.targets = targetColumn?.tensor(count: count)
        for column in inputColumns { inputs[column.input.name] = column.tensor(count: count) }
    }

    /// A batch of these parts.
    init(count: Int, inputs: [String: Tensor], targets: Tensor?, labels: [Int], skipped: Int) {
        self.count = count
        self.inputs = inputs
        self.targets = targets
        self.labels = labels
        self.skipped = skipped
    }

    /// The memory of one input's tensor while it is filled.
    private struct Column {
        let input: PassSpecification.Input
        /// Elements of one sample.
        private let size: Int
        private let memory: UnsafeMutableBufferPointer<Float>
        private let storage: TensorStorage

        init(_ input: PassSpecification.Input, capacity: Int) {
            self.input = input
            size = input.dimensions.reduce(1, *)
            let memory = UnsafeMutableBufferPointer<Float>.allocate(capacity: max(capacity * size, 1))
            self.memory = memory
            storage = TensorStorage(borrowing: UnsafeRawBufferPointer(memory)) { memory.deallocate() }
        }

        subscript(sample: Int) -> UnsafeMutableBufferPointer<Float> {
            UnsafeMutableBufferPointer(rebasing: memory[sample * size..<(sample + 1) * size])
        }

        /// The first samples. Nothing may be written afterwards.
        func tensor(count: Int) -> Tensor {
            Tensor(shape: Shape([count] + input.dimensions), elementType: .float32, storage: storage)
        }
    }

    private static func checkLabel(of sample: Sample, classes: Int) throws {
        guard let label = sample.label, !(0..<classes).contains(label) else { return }
        throw DatasetError(
            .labelOutOfRange, file: sample.source, key: sample.key, expected: "a label from 0 to \(classes - 1)",
            found: "\(label)")
    }

    private static func fill(
        _ place: UnsafeMutableBufferPointer<Float>, from sample: Sample, as input: PassSpecification.Input,
        using decoder: ImageDecoder, augmentedBy choice: Augmentation.Choice?
    ) throws {
        switch sample.content {
        case .image:
            guard let preprocessing = input.preprocessing else {
                throw DatasetError(
                    .missingContent, file: sample.source, key: sample.key, expected: "an array named \(input.name)",
                    found: "an image")
            }
            try preprocessing.decode(sample, into: place, using: decoder, augmentedBy: choice)
        case .arrays(let arrays):
            guard let array = arrays[input.name] else {
                throw DatasetError(
                    .missingContent, file: sample.source, key: sample.key, expected: "an array named \(input.name)",
                    found: arrays.keys.sorted().joined(separator: ", "))
            }
            guard array.shape.dimensions == input.dimensions else {
                throw DatasetError(
                    .corruptArray, file: sample.source, key: sample.key,
                    expected: "\(input.name) of shape \(Shape(input.dimensions))", found: "\(array.shape)")
            }
            array.copyAsFloats(into: place)
            // One sum tells of all: NaN and infinities stay.
            if !place.reduce(0, { $0 + $1 * 0 }).isZero, let index = place.firstIndex(where: { !$0.isFinite }) {
                throw DatasetError(
                    .notFinite, file: sample.source, key: sample.key, expected: "finite elements",
                    found: "\(input.name) has \(place[index]) at \(array.shape.indices(of: index))")
            }
        }
    }
}
