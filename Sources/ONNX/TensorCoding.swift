import Foundation
import Tensors

extension ONNXFile {
    /// The tensor that a `TensorProto` describes, wherever its data is: raw bytes are viewed where they are, external
    /// files are mapped, typed fields are converted.
    /// - Throws: `ONNXError` naming the tensor: unsupportedElementType, invalidTensor, and those of external data.
    public func tensor(_ proto: ONNXTensorProto) throws -> Tensor {
        guard let type = ElementType(onnxCode: Int(proto.dataType)) else {
            throw ONNXError(
                .unsupportedElementType, file: name, tensor: proto.name, expected: "a number or bool",
                found: "data type \(proto.dataType)")
        }
        let shape = try shape(proto, elementSize: type.size)
        let byteCount = type.isPacked ? PackedElements.byteCount(shape.count) : shape.count * type.size
        if proto.dataLocation == .external {
            return try externalTensor(proto, shape: shape, type: type, byteCount: byteCount)
        }
        if proto.hasRawData {
            guard proto.rawData.count == byteCount else {
                throw invalid(proto, expected: "\(byteCount) bytes", found: "\(proto.rawData.count)")
            }
            let storage = TensorStorage(viewing: proto.rawData)
            guard type.isPacked else { return Tensor(shape: shape, elementType: type, storage: storage) }
            return withExtendedLifetime(storage) {
                PackedElements.unpack(storage.bytes, shape: shape, type: type)
            }
        }
        return try typedTensor(proto, shape: shape, type: type)
    }

    /// Checks extents, also that the byte count fits an `Int`.
    private func shape(_ proto: ONNXTensorProto, elementSize: Int) throws -> Shape {
        var bytes = elementSize
        for extent in proto.dims {
            let (product, overflow) = bytes.multipliedReportingOverflow(by: Int(extent))
            guard extent >= 0, !overflow else {
                throw invalid(proto, expected: "extents of a tensor that fits into memory", found: "\(proto.dims)")
            }
            bytes = product
        }
        return Shape(proto.dims.map { Int($0) })
    }

    private func externalTensor(
        _ proto: ONNXTensorProto, shape: Shape, type: ElementType, byteCount: Int
    ) throws -> Tensor {
        var entries: [String: String] = [:]
        for entry in proto.externalData { entries[entry.key] = entry.value }
        guard let location = entries["location"] else {
            throw invalid(proto, expected: "the location of external data", found: "none")
        }
        guard let offset = Int(entries["offset"] ?? "0"), offset >= 0 else {
            throw invalid(proto, expected: "an offset of at least 0", found: entries["offset"] ?? "")
        }
        guard let length = Int(entries["length"] ?? "\(byteCount)"), length == byteCount else {
            throw invalid(proto, expected: "length \(byteCount)", found: entries["length"] ?? "")
        }
        let storage = try externalData.file(location, model: name, tensor: proto.name)
        guard offset <= storage.bytes.count, length <= storage.bytes.count - offset else {
            throw ONNXError(
                .externalFileTooShort, file: location, tensor: proto.name,
                expected: "\(length) bytes from \(offset) on", found: "\(storage.bytes.count) bytes")
        }
        if type.isPacked {
            return withExtendedLifetime(storage) {
                let bytes = UnsafeRawBufferPointer(rebasing: storage.bytes[offset..<offset + length])
                return PackedElements.unpack(bytes, shape: shape, type: type)
            }
        }
        return Tensor(shape: shape, elementType: type, storage: storage, byteOffset: offset)
    }

    /// Data in the field that belongs to the element type; the small integer types share the one of int32.
    private func typedTensor(_ proto: ONNXTensorProto, shape: Shape, type: ElementType) throws -> Tensor {
        switch type {
        case .float32: return try converted(proto, shape, type, proto.floatData) { $0 }
        case .float64: return try converted(proto, shape, type, proto.doubleData) { $0 }
        case .int64: return try converted(proto, shape, type, proto.int64Data) { $0 }
        case .uint64: return try converted(proto, shape, type, proto.uint64Data) { $0 }
        case .uint32: return try converted(proto, shape, type, proto.uint64Data) { UInt32(truncatingIfNeeded: $0) }
        case .int32: return try converted(proto, shape, type, proto.int32Data) { $0 }
        case .int16: return try converted(proto, shape, type, proto.int32Data) { Int16(truncatingIfNeeded: $0) }
        case .int8: return try converted(proto, shape, type, proto.int32Data) { Int8(truncatingIfNeeded: $0) }
        case .uint8: return try converted(proto, shape, type, proto.int32Data) { UInt8(truncatingIfNeeded: $0) }
        case .bool: return try converted(proto, shape, type, proto.int32Data) { UInt8($0 == 0 ? 0 : 1) }
        case .int4, .uint4:
            let bytes: Tensor = try converted(
                proto, [PackedElements.byteCount(shape.count)], .uint8, proto.int32Data
            ) { UInt8(truncatingIfNeeded: $0) }
            return bytes.withUnsafeBytes { PackedElements.unpack($0, shape: shape, type: type) }
        case .uint16, .float16, .bfloat16:
            return try converted(proto, shape, type, proto.int32Data) { UInt16(truncatingIfNeeded: $0) }
        }
    }

    private func converted<Source, Element: BitwiseCopyable>(
        _ proto: ONNXTensorProto, _ shape: Shape, _ type: ElementType, _ values: [Source],
        _ element: (Source) -> Element
    ) throws -> Tensor {
        guard values.count == shape.count else {
            throw invalid(proto, expected: "\(shape.count) elements", found: "\(values.count)")
        }
        let storage = TensorStorage(byteCount: shape.count * type.size) { bytes in
            for (index, value) in values.enumerated() {
                bytes.storeBytes(of: element(value), toByteOffset: index * type.size, as: Element.self)
            }
        }
        return Tensor(shape: shape, elementType: type, storage: storage)
    }

    private func invalid(_ proto: ONNXTensorProto, expected: String, found: String) -> ONNXError {
        ONNXError(.invalidTensor, file: name, tensor: proto.name, expected: expected, found: found)
    }
}

extension TensorStorage {
    /// Views the bytes of `data`, which is kept alive. Only `Data` of a few bytes is copied: it holds them in the value
    /// itself (up to 14 bytes), not at an address that stays; larger `Data` that nobody mutates keeps its buffer.
    public convenience init(viewing data: Data) {
        if data.count < 64 {
            self.init(byteCount: data.count) { data.copyBytes(to: $0) }
        } else {
            let bytes = data.withUnsafeBytes { $0 }
            self.init(borrowing: bytes) { withExtendedLifetime(data) {} }
        }
    }
}

extension ONNXTensorProto {
    /// A tensor with its data as raw bytes, which are the tensor's own, not a copy, where they are many.
    public init(_ tensor: Tensor, name: String) {
        self.init()
        self.name = name
        dims = tensor.shape.dimensions.map { Int64($0) }
        dataType = Int32(tensor.elementType.onnxCode)
        rawData = tensor.elementType.isPacked ? PackedElements.pack(tensor) : Data(viewing: tensor)
    }
}

extension Data {
    /// The tensor's bytes; the tensor lives as long as they do.
    public init(viewing tensor: Tensor) {
        let storage = tensor.borrowed
        guard let start = storage.bytes.baseAddress, storage.byteCount >= 64 else {
            self = withExtendedLifetime(storage) { Data(storage.bytes) }
            return
        }
        // Nobody writes through the pointer: `Data` copies before it mutates.
        self.init(
            bytesNoCopy: UnsafeMutableRawPointer(mutating: start), count: storage.byteCount,
            deallocator: .custom { _, _ in withExtendedLifetime(storage) {} })
    }
}

/// How a file holds 4-bit integers: two to a byte, the first in the low half; the last byte of an odd number of elements
/// has zeros in its high half.
enum PackedElements {
    static func byteCount(_ elements: Int) -> Int { (elements + 1) / 2 }

    static func pack(_ tensor: Tensor) -> Data {
        tensor.withUnsafeBytes { elements in
            var data = Data(count: byteCount(elements.count))
            for (index, element) in elements.enumerated() {
                data[index / 2] |= (element & 0xF) << (index % 2 == 0 ? 0 : 4)
            }
            return data
        }
    }

    /// - Parameter bytes: `byteCount(shape.count)` of them
    static func unpack(_ bytes: UnsafeRawBufferPointer, shape: Shape, type: ElementType) -> Tensor {
        let storage = TensorStorage(byteCount: shape.count) { elements in
            for index in elements.indices {
                let half = bytes[index / 2] >> (index % 2 == 0 ? 0 : 4) & 0xF
                elements[index] = type == .int4 && half >= 8 ? half | 0xF0 : half
            }
        }
        return Tensor(shape: shape, elementType: type, storage: storage)
    }
}

extension ElementType {
    /// Whether a file holds several elements in one byte.
    var isPacked: Bool { self == .int4 || self == .uint4 }
}

/// The numbers by which ONNX knows element types (`TensorProto.DataType`).
extension ElementType {
    private static let codes: [(Int, ElementType)] = [
        (1, .float32), (2, .uint8), (3, .int8), (4, .uint16), (5, .int16), (6, .int32), (7, .int64), (9, .bool),
        (10, .float16), (11, .float64), (12, .uint32), (13, .uint64), (16, .bfloat16),
        (21, .uint4), (22, .int4),
    ]

    /// The type of a number of `TensorProto.DataType`; nil for those that tensors do not have.
    public init?(onnxCode: Int) {
        guard let found = Self.codes.first(where: { $0.0 == onnxCode }) else { return nil }
        self = found.1
    }

    /// The number in `TensorProto.DataType`.
    public var onnxCode: Int {
        Self.codes.first { $0.1 == self }?.0 ?? 0
    }
}
