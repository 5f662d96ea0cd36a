import Nodes
import ONNX
import Tensors

/// Cast: the elements converted to another type.
public struct Cast: Operator {
    public static let opTypes = ["Cast"]

    let node: Node
    /// Type of the output's elements.
    public let target: ElementType

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1)
        var attributes = AttributeReader(node)
        let code = try attributes.int("to")
        attributes.ignore("saturate")
        attributes.ignore("round_mode")
        try attributes.finish()
        guard let code, let target = ElementType(onnxCode: code), target != .int4, target != .uint4 else {
            throw GraphError(
                .unsupportedElementType, at: node, expected: "to: a known element type",
                found: code.map { "\($0)" } ?? "none")
        }
        self.target = target
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        [ValueType(target, try node.input(inputs, 0).type.shape)]
    }
}

/// CastLike: the elements converted to the type of a second tensor.
public struct CastLike: Operator {
    public static let opTypes = ["CastLike"]

    let node: Node

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...2)
        var attributes = AttributeReader(node)
        attributes.ignore("saturate")
        attributes.ignore("round_mode")
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        [ValueType(try node.input(inputs, 1).type.elementType, try node.input(inputs, 0).type.shape)]
    }
}

/// BitCast: the same bits taken for another type of the same width.
public struct BitCast: Operator {
    public static let opTypes = ["BitCast"]

    let node: Node
    /// Type of the output's elements.
    public let target: ElementType

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1)
        var attributes = AttributeReader(node)
        let code = try attributes.int("to", default: 0)
        try attributes.finish()
        guard let target = ElementType(onnxCode: code) else {
            throw GraphError(.unsupportedElementType, at: node, expected: "to: a known element type", found: "\(code)")
        }
        self.target = target
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let input = try node.input(inputs, 0)
        let halves: Set<ElementType> = [.int4, .uint4]
        guard input.type.elementType.size == target.size,
            halves.contains(target) == halves.contains(input.type.elementType)
        else {
            throw GraphError(
                .unsupportedElementType, at: node, tensor: input.name, expected: "a type as wide as \(target.rawValue)",
                found: input.type.elementType.rawValue)
        }
        return [ValueType(target, input.type.shape)]
    }
}
