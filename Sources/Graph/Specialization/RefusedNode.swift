import Nodes
import ONNX
import Operators
import Tensors

/// A node that is not computed: its operator is unknown, or does not take such attributes or inputs of such types.
public struct RefusedNode: Sendable {
    /// In the file, or in the function or subgraph it stands in.
    public var name: String
    /// With its domain, where that is not the default one.
    public var opType: String
    /// Nil for inputs that are left out and for what only refused nodes make.
    public var inputs: [ValueType?]
    /// What the operator expects and found.
    public var error: GraphError
}

extension Graph {
    /// All nodes of a file that are not computed, for given input shapes. What comes behind such a node is judged as far as its
    /// types are known.
    /// - Parameter inputShapes: of the graph's inputs; nil where they cannot be told, so that operators alone are judged.
    /// - Throws: `GraphError` for a graph that is not legal, `ONNXError` for tensors that cannot be read.
    public static func refusedNodes(
        of file: ONNXFile, inputShapes: (Graph) -> [String: Shape]?
    ) throws -> [RefusedNode] {
        let graph = try Graph(importing: file, keepsUnknownOperators: true)
        let useful = UsefulNodes(graph)
        if let shapes = inputShapes(graph), let types = try? graph.inputTypes(shapes) {
            var specialization = Specialization(graph, useful, inputTypes: types)
            // Its error is one of the list, or another that a run tells.
            try? specialization.add(useful.nodes, postpones: true)
            return specialization.refused
        }
        return graph.nodes.filter { !KnownOperators.supports($0) }.map { node in
            let constants = node.inputs.map { graph.constants[$0].map { ValueType($0.elementType, $0.shape) } }
            return RefusedNode(
                name: node.name, opType: node.qualifiedType, inputs: constants,
                error: GraphError(.unsupportedOperators, at: node, found: node.qualifiedType))
        }
    }
}
