import Nodes
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

    /// What is left of a graph once its steps are computed: nodes that ask for the value of what the steps give.
    public struct Remainder: Sendable {
        /// Its inputs are outputs of the steps, or inputs of the whole graph, with the extents that they have.
        public var graph: Graph
        /// The inputs that nodes ask for.
        public var parameters: [String]
    }

    /// Inputs in the graph's order.
    public var inputs: [String]
    /// Outputs in the graph's order, those of the remainder left out, and then what the remainder takes; each is an input, a
    /// constant or the output of a step.
    public var outputs: [String]
    /// Nodes that remain to be computed for each sample, in topological order; none is without use.
    public var steps: [Step]
    /// Constants that the steps use, folded ones included.
    public var constants: [String: Tensor]
    /// The type of every input, constant and step output.
    public var types: [String: ValueType]
    /// What can be specialized only when the steps were computed.
    public var remainder: Remainder?

    /// The parts are taken as they are; specialization makes them fit.
    public init(
        inputs: [String], outputs: [String], steps: [Step], constants: [String: Tensor], types: [String: ValueType],
        remainder: Remainder? = nil
    ) {
        self.inputs = inputs
        self.outputs = outputs
        self.steps = steps
        self.constants = constants
        self.types = types
        self.remainder = remainder
    }
}
