import Tensors

/// The numbers by which ONNX knows element types (`TensorProto.DataType`).
extension ElementType {
    private static let codes: [(Int, ElementType)] = [
        (1, .float32), (2, .uint8), (3, .int8), (4, .uint16), (5, .int16), (6, .int32), (7, .int64), (9, .bool),
        (10, .float16), (11, .float64), (12, .uint32), (13, .uint64), (16, .bfloat16),
        (21, .uint4), (22, .int4),
    ]

    public init?(onnxCode: Int) {
        guard let found = Self.codes.first(where: { $0.0 == onnxCode }) else { return nil }
        self = found.1
    }

    public var onnxCode: Int {
        Self.codes.first { $0.1 == self }?.0 ?? 0
    }
}
