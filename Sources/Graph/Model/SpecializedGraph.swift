import Operators
import Tensors

/// A graph for one set of input shapes: every value has a type, and whatever depended on shapes alone is a constant.
public struct SpecializedGraph: Sendable {
    /// A node with its meaning.
    public struct Step: Sendable {
        /// Names and attributes; what stays of the graph's node.
        public var node: Node
        /// The node's attributes, parsed and checked.
        public var `operator`: any Operator

        /// - Parameter operator: made of `node`.
        public init(node: Node, operator: any Operator) {
            self.node = node
            self.operator = `operator`
        }
    }

    /// Inputs in the graph's order.
    public var inputs: [String]
    /// Outputs in the graph's order; each is an input, a constant or the output of a step.
    public var outputs: [String]
    /// Nodes that remain to be computed for each sample, in topological order; none is without use.
    public var steps: [Step]
    /// Constants that the steps use, folded ones included.
    public var constants: [String: Tensor]
    /// The type of every input, constant and step output.
    public var types: [String: ValueType]

    /// The parts are taken as they are; specialization makes them fit.
    public init(
        inputs: [String], outputs: [String], steps: [Step], constants: [String: Tensor], types: [String: ValueType]
    ) {
        self.inputs = inputs
        self.outputs = outputs
        self.steps = steps
        self.constants = constants
        self.types = types
    }
}
