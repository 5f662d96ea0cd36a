import Nodes
import Tensors

/// Clip: each element limited to [minimum, maximum]. The bounds are attributes before opset 11, inputs 1 and 2 since.
public struct Clip: Operator {
    public static let opTypes = ["Clip"]

    let node: Node
    /// Bounds that are attributes; nil where they are inputs.
    private let attributeBounds: (minimum: Float, maximum: Float)?

    public init(node: Node, opsetVersion: Int) throws {
        var attributes = AttributeReader(node)
        if opsetVersion < 11 {
            try node.checkArity(inputs: 1...1)
            let minimum = try attributes.float("min", default: -.infinity)
            attributeBounds = (minimum, try attributes.float("max", default: .infinity))
        } else {
            try node.checkArity(inputs: 1...3)
            attributeBounds = nil
        }
        try attributes.finish()
        self.node = node
    }

    /// The bounds; an absent one is infinite.
    /// - Throws: `GraphError` when a bound is not a constant of one float32 element.
    public func bounds(inputs: [OperatorInput?]) throws -> (minimum: Float, maximum: Float) {
        if let attributeBounds { return attributeBounds }
        return (try bound(inputs, 1) ?? -.infinity, try bound(inputs, 2) ?? .infinity)
    }

    private func bound(_ inputs: [OperatorInput?], _ index: Int) throws -> Float? {
        guard let value = try node.constant(inputs, index) else { return nil }
        guard value.elementType == .float32 else {
            throw GraphError(
                .unsupportedElementType, at: node, tensor: inputs[index]?.name, expected: "float32",
                found: value.elementType.rawValue)
        }
        guard value.count == 1 else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: inputs[index]?.name, expected: "one element", found: "\(value.shape)")
        }
        return value.elements(as: Float.self)[0]
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let type = try node.input(inputs, 0).type
        try node.checkOneElementType(inputs)
        if type.elementType == .float32 { _ = try bounds(inputs: inputs) }
        return [type]
    }
}
