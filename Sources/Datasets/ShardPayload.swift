import Foundation
import Support
import Tensors

/// Samples as they travel from coordinator to worker. The form, all numbers little-endian:
///
///     payload = "QSSP", version: UInt8 = 1, count: UInt32, count samples
///     sample  = key, source: text; flags: UInt8 (1: has a label, 2: has arrays); [label: Int64]; image: bytes | arrays
///     arrays  = count: UInt32, then by name: name, element type: text; rank: UInt8; rank extents: UInt64; elements:
///     bytes text, bytes = length: UInt32, that many bytes (text is UTF-8)
///
/// A sample's bytes are limited well below 4 GB where samples are read, so 32 bits hold every length.
public struct ShardPayload: Equatable, Sendable {
    /// In the order of the shard.
    public let samples: [Sample]

    private static let magic = Array("QSSP".utf8)
    private static let version: UInt8 = 1
    private static let labelFlag: UInt8 = 1
    private static let arraysFlag: UInt8 = 2

    public init(samples: [Sample]) {
        self.samples = samples
    }

    /// The bytes of the payload; the same samples give the same bytes.
    public func encoded() -> Data {
        var writer = ByteWriter(capacity: samples.reduce(64) { $0 + Self.byteEstimate($1) })
        writer.append(Self.magic)
        writer.append(Self.version)
        writer.append(UInt32(samples.count))
        for sample in samples {
            writer.append(text: sample.key)
            writer.append(text: sample.source)
            var flags: UInt8 = sample.label == nil ? 0 : Self.labelFlag
            if case .arrays = sample.content { flags |= Self.arraysFlag }
            writer.append(flags)
            if let label = sample.label { writer.append(Int64(label)) }
            switch sample.content {
            case .image(let data):
                writer.append(UInt32(data.count))
                writer.append(data)
            case .arrays(let arrays):
                writer.append(UInt32(arrays.count))
                for (name, tensor) in arrays.sorted(by: { precedesByBytes($0.key, $1.key) }) {
                    writer.append(text: name)
                    writer.append(text: tensor.elementType.rawValue)
                    writer.append(UInt8(tensor.shape.rank))
                    for extent in tensor.shape.dimensions { writer.append(UInt64(extent)) }
                    tensor.withUnsafeBytes {
                        writer.append(UInt32($0.count))
                        writer.append($0)
                    }
                }
            }
        }
        return writer.data
    }

    /// Reads a payload. Images are views of `data`, not copies.
    /// - Throws: `DatasetError(.malformedPayload)` for any bytes that `encoded` does not write.
    public init(decoding data: Data) throws(DatasetError) {
        var reader = ByteReader(data, record: "shard")
        do throws(ByteCodingError) {
            samples = try Self.samples(&reader)
        } catch {
            let part = error.part ?? error.expected ?? "bytes"
            throw DatasetError(.malformedPayload, found: "\(part) at byte \(error.position) of \(data.count)")
        }
    }

    private static func samples(_ reader: inout ByteReader) throws(ByteCodingError) -> [Sample] {
        guard try reader.take(magic.count, "magic").elementsEqual(magic),
            try reader.take(UInt8.self, "version") == version
        else { throw reader.error(.malformed, "magic, version") }
        // A sample takes at least 13 bytes, an array 13 too: a false count is seen before anything is reserved for it.
        let count = try reader.takeCount("samples", minimumBytes: 13)
        var samples: [Sample] = []
        samples.reserveCapacity(count)
        for _ in 0..<count { samples.append(try sample(&reader)) }
        try reader.finish()
        return samples
    }

    private static func sample(_ reader: inout ByteReader) throws(ByteCodingError) -> Sample {
        let key = try reader.takeText("key")
        let source = try reader.takeText("source")
        let flags = try reader.take(UInt8.self, "flags")
        guard flags <= labelFlag | arraysFlag else { throw reader.error(.malformed, "flags") }
        let label = flags & labelFlag == 0 ? nil : Int(try reader.take(Int64.self, "label"))
        guard flags & arraysFlag != 0 else {
            let image = try reader.take(try reader.takeCount("image"), "image")
            return Sample(key: key, source: source, content: .image(image), label: label)
        }
        var arrays: [String: Tensor] = [:]
        for _ in 0..<(try reader.takeCount("arrays", minimumBytes: 13)) {
            let name = try reader.takeText("array name")
            let tensor = try tensor(&reader)
            guard arrays.updateValue(tensor, forKey: name) == nil else {
                throw reader.error(.malformed, "array name")
            }
        }
        return Sample(key: key, source: source, content: .arrays(arrays), label: label)
    }

    private static func tensor(_ reader: inout ByteReader) throws(ByteCodingError) -> Tensor {
        guard let elementType = ElementType(rawValue: try reader.takeText("element type")) else {
            throw reader.error(.malformed, "element type")
        }
        var dimensions: [Int] = []
        var byteCount = elementType.size
        // Zeros are left out of the checked product, so that no order of multiplication overflows later.
        for _ in 0..<(try reader.take(UInt8.self, "rank")) {
            guard let extent = Int(exactly: try reader.take(UInt64.self, "extent")),
                case let (product, overflow) = byteCount.multipliedReportingOverflow(by: max(extent, 1)), !overflow
            else { throw reader.error(.malformed, "extent") }
            dimensions.append(extent)
            byteCount = product
        }
        let shape = Shape(dimensions)
        let elements = try reader.take(try reader.takeCount("elements"), "elements")
        guard elements.count == shape.count * elementType.size else { throw reader.error(.malformed, "elements") }
        let storage = TensorStorage(byteCount: elements.count) { target in
            elements.withUnsafeBytes { target.copyMemory(from: $0) }
        }
        return Tensor(shape: shape, elementType: elementType, storage: storage)
    }

    private static func byteEstimate(_ sample: Sample) -> Int {
        let content =
            switch sample.content {
            case .image(let data): data.count
            case .arrays(let arrays):
                arrays.values.reduce(0) { $0 + $1.count * $1.elementType.size + 128 }
            }
        return content + sample.key.utf8.count + sample.source.utf8.count + 32
    }
}
