import Nodes
import Operators
import Tensors

/// A computation: nodes in topological order over values that are known by their ONNX tensor names.
///
/// What a legal graph is: every name is defined once (as input, constant or output of one node); every node uses only
/// names defined before it, or the empty name for an absent optional input; every graph output is defined.
public struct Graph: Sendable {
    /// As in the file; no meaning.
    public var name: String
    /// What the caller feeds; constants are not among them.
    public var inputs: [ValueInfo]
    /// What the caller reads; inputs and constants may be among them.
    public var outputs: [ValueInfo]
    /// In topological order.
    public var nodes: [Node]
    /// Initializers by name.
    public var constants: [String: Tensor]
    /// Version of the default operator set that node semantics follow.
    public var opsetVersion: Int

    /// The parts are taken as they are; `validate` checks them.
    public init(
        name: String, inputs: [ValueInfo], outputs: [ValueInfo], nodes: [Node], constants: [String: Tensor],
        opsetVersion: Int
    ) {
        self.name = name
        self.inputs = inputs
        self.outputs = outputs
        self.nodes = nodes
        self.constants = constants
        self.opsetVersion = opsetVersion
    }
}

/// A declared input or output.
public struct ValueInfo: Sendable, Equatable {
    /// The extent of one axis.
    public enum Dimension: Sendable, Equatable {
        case fixed(Int)
        /// Known when the graph is specialized; the name ties equal extents together.
        case symbolic(String)
        case unknown
    }

    /// Name of the value.
    public var name: String
    /// Type of the elements.
    public var elementType: ElementType
    /// Nil where the file does not declare a shape.
    public var dimensions: [Dimension]?

    /// A declaration with or without a shape.
    public init(name: String, elementType: ElementType, dimensions: [Dimension]?) {
        self.name = name
        self.elementType = elementType
        self.dimensions = dimensions
    }
}

extension FreshNames {
    /// For a graph as it is now, and the graphs in its nodes.
    public init(_ graph: Graph) {
        let bodies = graph.nodes.flatMap(\.allSubgraphs)
        self.init(
            values: graph.constants.keys + graph.inputs.map(\.name) + graph.nodes.flatMap(\.outputs)
                + bodies.flatMap(\.ownValues),
            nodes: graph.nodes.map(\.name) + bodies.flatMap { $0.nodes.map(\.name) })
    }
}
