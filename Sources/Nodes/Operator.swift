import Tensors

/// Element type and shape of a value in a specialized graph.
public struct ValueType: Sendable, Equatable {
    /// Type of the elements.
    public var elementType: ElementType
    /// Extents of the axes; rank 0 for a scalar.
    public var shape: Shape

    /// A type of known shape.
    public init(_ elementType: ElementType, _ shape: Shape) {
        self.elementType = elementType
        self.shape = shape
    }
}

/// The meaning of a node: its attributes, parsed and checked, and the rule for the types of its outputs. Each conforming
/// type is one ONNX operator (or a family that shares attributes and shape rule) in a file of its own, and stands in the list
/// of `Operators`. How it is computed, and its gradient, stand in the module Execution; conforming there is all it takes.
public protocol Operator: Sendable {
    /// ONNX op types that this operator implements; those of other domains than the default one with their domain, as
    /// `com.microsoft.Gelu`.
    static var opTypes: [String] { get }

    /// Reads the attributes under the semantics of `opsetVersion`. Inputs that are attributes in older opsets (Clip's
    /// bounds, Squeeze's axes) are taken from either place.
    /// - Throws: `GraphError` naming the node and the attribute.
    init(node: Node, opsetVersion: Int) throws

    /// The types of the node's outputs.
    /// - Parameter inputs: one per node input; nil where an optional input is absent. `constant` is set for values known
    ///   at specialization (shapes, axes).
    /// - Throws: `GraphError` naming the node and the inputs that do not fit.
    func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType]
}

/// What is known of a node's input at specialization.
public struct OperatorInput: Sendable {
    /// Name of the value.
    public var name: String
    /// Element type and shape.
    public var type: ValueType
    /// The value, where it is known before any sample is seen.
    public var constant: Tensor?

    /// - Parameter constant: of that type; nil where only a run gives the value.
    public init(name: String, type: ValueType, constant: Tensor?) {
        self.name = name
        self.type = type
        self.constant = constant
    }
}
