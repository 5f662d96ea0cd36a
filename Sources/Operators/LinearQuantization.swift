import Nodes
import ONNX
import Tensors

/// QuantizeLinear, DequantizeLinear and DynamicQuantizeLinear: numbers to integers, round(x / scale) + zero point, and back.
/// One scale for all, one for each index of an axis, or one for each block along it.
public struct LinearQuantization: Operator {
    public static let opTypes = [
        "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear", "com.microsoft.QuantizeLinear",
        "com.microsoft.DequantizeLinear",
    ]

    let node: Node
    package let axis: Int
    private let blockSize: Int
    private let target: ElementType?

    package var isDynamic: Bool { node.opType == "DynamicQuantizeLinear" }
    package var isBackward: Bool { node.opType == "DequantizeLinear" }

    public init(node: Node, opsetVersion: Int) throws {
        let isDynamic = node.opType == "DynamicQuantizeLinear"
        try node.checkArity(inputs: isDynamic ? 1...1 : 2...3, outputs: isDynamic ? 3 : 1)
        var attributes = AttributeReader(node)
        axis = isDynamic ? 0 : try attributes.int("axis", default: 1)
        blockSize = isDynamic ? 0 : try attributes.int("block_size", default: 0)
        let code = isDynamic ? 0 : try attributes.int("output_dtype", default: 0)
        target = code == 0 ? nil : ElementType(onnxCode: code)
        guard code == 0 || target != nil, blockSize >= 0 else {
            throw GraphError(
                .invalidAttribute, at: node, expected: "an output_dtype that is known and a block_size of at least 0",
                found: "\(code), \(blockSize)")
        }
        attributes.ignore("saturate")
        attributes.ignore("precision")
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let data = try node.input(inputs, 0).type
        if isDynamic { return [ValueType(.uint8, data.shape), ValueType(.float32, []), ValueType(.uint8, [])] }
        let scale = try node.input(inputs, 1)
        let zero = node.optional(inputs, 2)
        // One zero point may stand in a list where the one scale does not, and the other way round.
        let fits = zero.map { zero in
            zero.type.shape == scale.type.shape
                || [zero, scale].allSatisfy { $0.type.shape.rank <= 1 && $0.type.shape.count == 1 }
        }
        guard fits != false, scales(scale.type.shape, over: data.shape) != nil
        else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: scale.name, expected: "scales and zero points for \(data.shape)",
                found: "\(scale.type.shape)")
        }
        let integer = zero?.type.elementType ?? target ?? .uint8
        return [ValueType(isBackward ? target ?? scale.type.elementType : integer, data.shape)]
    }

    /// Which scale an element has: by the axis, and the extents of scales along it and the axes behind it.
    /// - Returns: nil where the scales do not fit.
    package func scales(_ scale: Shape, over data: Shape) -> ((Int) -> Int)? {
        if scale.count == 1, scale.rank <= 1, blockSize == 0 { return { _ in 0 } }
        let axis = axis < 0 ? axis + data.rank : axis
        guard data.dimensions.indices.contains(axis) else { return nil }
        let inner = data.dimensions[(axis + 1)...].reduce(1, *)
        let extent = data[axis]
        if blockSize == 0 { return scale == [extent] ? { $0 / max(inner, 1) % max(extent, 1) } : nil }
        var expected = data.dimensions
        expected[axis] = (extent + blockSize - 1) / blockSize
        guard scale.dimensions == expected else { return nil }
        let blocks = expected[axis]
        return { index in
            let (outer, place) = (index / (inner * extent), index / inner % extent)
            return (outer * blocks + place / blockSize) * inner + index % inner
        }
    }
}
