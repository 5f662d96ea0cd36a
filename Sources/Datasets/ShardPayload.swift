import Foundation
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
        var writer = PayloadWriter(capacity: samples.reduce(64) { $0 + Self.byteEstimate($1) })
        writer.data.append(contentsOf: Self.magic)
        writer.data.append(Self.version)
        writer.write(UInt32(samples.count))
        for sample in samples {
            writer.write(text: sample.key)
            writer.write(text: sample.source)
            var flags: UInt8 = sample.label == nil ? 0 : Self.labelFlag
            if case .arrays = sample.content { flags |= Self.arraysFlag }
            writer.data.append(flags)
            if let label = sample.label { writer.write(Int64(label)) }
            switch sample.content {
            case .image(let data):
                writer.write(UInt32(data.count))
                writer.data.append(data)
            case .arrays(let arrays):
                writer.write(UInt32(arrays.count))
                for (name, tensor) in arrays.sorted(by: { precedesByBytes($0.key, $1.key) }) {
                    writer.write(text: name)
                    writer.write(text: tensor.elementType.rawValue)
                    writer.data.append(UInt8(tensor.shape.rank))
                    for extent in tensor.shape.dimensions { writer.write(UInt64(extent)) }
                    tensor.withUnsafeBytes {
                        writer.write(UInt32($0.count))
                        writer.data.append(contentsOf: $0)
                    }
                }
            }
        }
        return writer.data
    }

    /// Reads a payload. Images are views of `data`, not copies.
    /// - Throws: `DatasetError(.malformedPayload)` for any bytes that `encoded` does not write.
    public init(decoding data: Data) throws {
        var reader = PayloadReader(data)
        guard try reader.bytes(Self.magic.count, "magic").elementsEqual(Self.magic),
            try reader.byte("version") == Self.version
        else { throw reader.malformed("magic, version") }
        // A sample takes at least 13 bytes, an array 13 too: a false count is seen before anything is reserved for it.
        let count = try reader.count("samples", minimumBytes: 13)
        var samples: [Sample] = []
        samples.reserveCapacity(count)
        for _ in 0..<count { samples.append(try Self.sample(&reader)) }
        guard reader.isAtEnd else { throw reader.malformed("end") }
        self.samples = samples
    }

    private static func sample(_ reader: inout PayloadReader) throws -> Sample {
        let key = try reader.text("key")
        let source = try reader.text("source")
        let flags = try reader.byte("flags")
        guard flags <= labelFlag | arraysFlag else { throw reader.malformed("flags") }
        let label = flags & labelFlag == 0 ? nil : Int(try reader.integer(Int64.self, "label"))
        guard flags & arraysFlag != 0 else {
            let image = try reader.bytes(try reader.count("image"), "image")
            return Sample(key: key, source: source, content: .image(image), label: label)
        }
        var arrays: [String: Tensor] = [:]
        for _ in 0..<(try reader.count("arrays", minimumBytes: 13)) {
            let name = try reader.text("array name")
            let tensor = try tensor(&reader)
            guard arrays.updateValue(tensor, forKey: name) == nil else { throw reader.malformed("array name") }
        }
        return Sample(key: key, source: source, content: .arrays(arrays), label: label)
    }

    private static func tensor(_ reader: inout PayloadReader) throws -> Tensor {
        guard let elementType = ElementType(rawValue: try reader.text("element type")) else {
            throw reader.malformed("element type")
        }
        var dimensions: [Int] = []
        var byteCount = elementType.size
        // Zeros are left out of the checked product, so that no order of multiplication overflows later.
        for _ in 0..<(try reader.byte("rank")) {
            guard let extent = Int(exactly: try reader.integer(UInt64.self, "extent")),
                case let (product, overflow) = byteCount.multipliedReportingOverflow(by: max(extent, 1)), !overflow
            else { throw reader.malformed("extent") }
            dimensions.append(extent)
            byteCount = product
        }
        let shape = Shape(dimensions)
        let elements = try reader.bytes(try reader.count("elements"), "elements")
        guard elements.count == shape.count * elementType.size else { throw reader.malformed("elements") }
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

/// Appends the parts of a payload.
private struct PayloadWriter {
    var data: Data

    init(capacity: Int) { data = Data(capacity: capacity) }

    mutating func write<Integer: FixedWidthInteger>(_ value: Integer) {
        withUnsafeBytes(of: value.littleEndian) { data.append(contentsOf: $0) }
    }

    mutating func write(text: String) {
        write(UInt32(text.utf8.count))
        data.append(contentsOf: text.utf8)
    }
}

/// Takes the parts of a payload off its beginning, checking every length.
private struct PayloadReader {
    private let total: Int
    private var rest: Data

    init(_ data: Data) {
        total = data.count
        rest = data
    }

    var isAtEnd: Bool { rest.isEmpty }

    func malformed(_ part: String) -> DatasetError {
        DatasetError(.malformedPayload, found: "\(part) at byte \(total - rest.count) of \(total)")
    }

    mutating func bytes(_ count: Int, _ part: String) throws -> Data {
        guard count <= rest.count else { throw malformed(part) }
        let bytes = rest.prefix(count)
        rest = rest.dropFirst(count)
        return bytes
    }

    mutating func integer<Integer: FixedWidthInteger>(_: Integer.Type, _ part: String) throws -> Integer {
        try bytes(MemoryLayout<Integer>.size, part).withUnsafeBytes {
            Integer(littleEndian: $0.loadUnaligned(as: Integer.self))
        }
    }

    mutating func byte(_ part: String) throws -> UInt8 { try integer(UInt8.self, part) }

    /// A number of things of which each takes at least `minimumBytes` of the rest.
    mutating func count(_ part: String, minimumBytes: Int = 1) throws -> Int {
        let count = Int(try integer(UInt32.self, part))
        guard count <= rest.count / minimumBytes else { throw malformed(part) }
        return count
    }

    mutating func text(_ part: String) throws -> String {
        guard let text = String(validating: try bytes(try count(part), part), as: UTF8.self) else {
            throw malformed(part)
        }
        return text
    }
}
