import Nodes
import Tensors

/// Pad: elements added before and after each axis; a negative amount removes elements.
public struct Pad: Operator {
    /// Where the elements that are added come from, by ONNX name.
    public enum Mode: String, Sendable, Equatable { case constant, reflect, edge, wrap }

    public static let opTypes = ["Pad"]

    package let node: Node
    /// Where the elements that are added come from.
    public let mode: Mode
    private let attributePads: [Int]?
    private let attributeValue: Float

    public init(node: Node, opsetVersion: Int) throws {
        var attributes = AttributeReader(node)
        let name = try attributes.string("mode") ?? "constant"
        guard let mode = Mode(rawValue: name), mode != .wrap || opsetVersion >= 19 else {
            throw GraphError(.invalidAttribute, at: node, expected: "mode constant, reflect or edge", found: name)
        }
        self.mode = mode
        if opsetVersion < 11 {
            try node.checkArity(inputs: 1...1)
            attributePads = try attributes.ints("pads")
            attributeValue = try attributes.float("value", default: 0)
            guard attributePads != nil else {
                throw GraphError(.invalidAttribute, at: node, expected: "pads", found: "none")
            }
        } else {
            try node.checkArity(inputs: 2...(opsetVersion >= 18 ? 4 : 3))
            attributePads = nil
            attributeValue = 0
        }
        try attributes.finish()
        self.node = node
    }

    /// Elements to add before and after each axis of the input.
    public func amounts(inputs: [OperatorInput?]) throws -> (begin: [Int], end: [Int]) {
        let rank = try node.input(inputs, 0).type.shape.rank
        let pads = try attributePads ?? node.constantInts(inputs, 1) ?? []
        let axes = try (node.constantInts(inputs, 3) ?? Array(0..<rank)).map { try node.resolveAxis($0, rank: rank) }
        guard pads.count == 2 * axes.count, Set(axes).count == axes.count,
            pads.allSatisfy({ -Window.limit...Window.limit ~= $0 })
        else {
            throw GraphError(
                .invalidInput, at: node, tensor: node.optional(inputs, 1)?.name,
                expected: "two amounts for each of \(axes.count) axes", found: "\(pads)")
        }
        var begin = [Int](repeating: 0, count: rank)
        var end = begin
        for (index, axis) in axes.enumerated() {
            begin[axis] = pads[index]
            end[axis] = pads[index + axes.count]
        }
        return (begin, end)
    }

    /// What is filled in, in mode constant.
    public func value(inputs: [OperatorInput?]) throws -> Float {
        guard let value = try node.constant(inputs, 2) else { return attributeValue }
        guard value.elementType == .float32, value.count == 1 else {
            throw GraphError(
                .invalidInput, at: node, tensor: inputs[2]?.name, expected: "one float32 element",
                found: "\(value.elementType) \(value.shape)")
        }
        return value.elements(as: Float.self)[0]
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let input = try node.input(inputs, 0)
        let shape = input.type.shape
        let (begin, end) = try amounts(inputs: inputs)
        var extents = shape.dimensions
        for axis in extents.indices {
            extents[axis] += begin[axis] + end[axis]
            let outside = max(begin[axis], end[axis])
            // Reflection does not repeat the edge, so it has one element less to offer than the axis.
            let available =
                switch mode {
                case .constant: Int.max
                case .reflect: max(shape[axis] - 1, 0)
                case .edge: shape[axis] == 0 ? 0 : Int.max
                case .wrap: shape[axis]
                }
            guard extents[axis] >= 0, outside <= available else {
                throw GraphError(
                    .shapeMismatch, at: node, tensor: input.name,
                    expected: "an axis \(axis) that can be padded by \(begin[axis]) and \(end[axis])", found: "\(shape)"
                )
            }
        }
        return [ValueType(input.type.elementType, Shape(extents))]
    }
}
