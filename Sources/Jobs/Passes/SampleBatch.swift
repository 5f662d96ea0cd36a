import Datasets
import Foundation
import Tensors

/// The samples of a shard, decoded: one float32 array per graph input, with the samples on axis 0.
package struct SampleBatch: Sendable {
    package var count: Int
    /// [count, dimensions of the input...] by input name.
    package var inputs: [String: Tensor]
    /// One class per sample; empty where the samples have no labels.
    package var labels: [Int]
    /// Samples that could not be decoded and are not among `count`.
    package var skipped: Int

    /// Decodes samples in their order. Bad ones are left out and counted, or end the pass.
    /// - Parameter classes: labels must be below; nil where labels do not matter.
    package init(decoding samples: [Sample], as specification: PassSpecification, classes: Int? = nil) throws {
        let decoder = ImageDecoder()
        var labels: [Int] = []
        var unlabelled = 0
        var kept = 0
        var storages: [String: [Float]] = [:]
        for input in specification.inputs {
            storages[input.name] = [Float](
                repeating: 0, count: samples.count * input.dimensions.reduce(1, *))
        }
        var skipped = 0
        for sample in samples {
            do {
                for input in specification.inputs {
                    let size = input.dimensions.reduce(1, *)
                    try storages[input.name, default: []].withUnsafeMutableBufferPointer { buffer in
                        let place = UnsafeMutableBufferPointer(rebasing: buffer[kept * size..<(kept + 1) * size])
                        try Self.fill(place, from: sample, as: input, using: decoder)
                    }
                }
                if let classes { try Self.checkLabel(of: sample, classes: classes) }
                if let label = sample.label { labels.append(label) } else { unlabelled += 1 }
                kept += 1
            } catch let error as DatasetError where error.isBadSample && specification.skipsBadSamples {
                skipped += 1
            }
        }
        count = kept
        self.skipped = skipped
        self.labels = unlabelled == 0 ? labels : []
        inputs = [:]
        for input in specification.inputs {
            let elements = (storages[input.name] ?? []).prefix(kept * input.dimensions.reduce(1, *))
            inputs[input.name] = Tensor(shape: Shape([kept] + input.dimensions), Array(elements))
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
        using decoder: ImageDecoder
    ) throws {
        switch sample.content {
        case .image:
            guard let preprocessing = input.preprocessing else {
                throw DatasetError(
                    .missingContent, file: sample.source, key: sample.key, expected: "an array named \(input.name)",
                    found: "an image")
            }
            try preprocessing.decode(sample, into: place, using: decoder)
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
        }
    }
}

extension Tensor {
    /// Writes the elements as float32, unscaled.
    func copyAsFloats(into place: UnsafeMutableBufferPointer<Float>) {
        func convert<Element: TensorElement>(_ type: Element.Type, _ convert: (Element) -> Float) {
            withUnsafeElements(as: type) { elements in
                for (index, element) in elements.enumerated() { place[index] = convert(element) }
            }
        }
        switch elementType {
        case .float32: withUnsafeBytes { UnsafeMutableRawBufferPointer(place).copyMemory(from: $0) }
        case .float64: convert(Double.self) { Float($0) }
        case .int8: convert(Int8.self) { Float($0) }
        case .int16: convert(Int16.self) { Float($0) }
        case .int32: convert(Int32.self) { Float($0) }
        case .int64: convert(Int64.self) { Float($0) }
        case .uint8: convert(UInt8.self) { Float($0) }
        case .uint16: convert(UInt16.self) { Float($0) }
        case .uint32: convert(UInt32.self) { Float($0) }
        case .uint64: convert(UInt64.self) { Float($0) }
        case .bool:
            withUnsafeBytes { bytes in
                for (index, byte) in bytes.enumerated() { place[index] = byte == 0 ? 0 : 1 }
            }
        case .float16:
            withUnsafeBytes { bytes in
                for index in place.indices {
                    place[index] = Float(bytes.loadUnaligned(fromByteOffset: 2 * index, as: Float16.self))
                }
            }
        case .bfloat16:
            withUnsafeBytes { bytes in
                for index in place.indices {
                    let bits = UInt32(bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
                    place[index] = Float(bitPattern: bits << 16)
                }
            }
        }
    }
}
