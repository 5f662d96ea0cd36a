import Nodes
import Tensors

/// Nodes that are left for later: they ask for a value which the samples give, or need what such nodes make.
struct PostponedNodes {
    /// In order.
    private var nodes: [Node] = []
    /// What they make.
    private var values: Set<String> = []
    /// What they ask for.
    private(set) var unknown: [GraphError] = []

    var isEmpty: Bool { nodes.isEmpty }

    /// Whether the value is one that they make.
    func makes(_ value: String) -> Bool { values.contains(value) }

    /// - Parameter asking: why the node cannot be specialized; nil where it only needs what others make.
    mutating func append(_ node: Node, asking error: GraphError? = nil) {
        if let error, let value = error.tensor, !values.contains(value) { unknown.append(error) }
        nodes.append(node)
        values.formUnion(node.outputs)
        values.remove("")
    }

    /// They as a graph, whose inputs are what the steps give to it.
    /// - Parameters:
    ///   - whole: the graph that they are of.
    ///   - sequences: the values of each sequence, in order.
    ///   - constants: of what is specialized.
    ///   - types: the same.
    /// - Throws: what they ask for, where no value would tell it.
    func remainder(
        of whole: Graph, sequences: [String: [String]], constants: [String: Tensor], types: [String: ValueType]
    ) throws -> SpecializedGraph.Remainder {
        var all: [Node] = []
        var listed: Set<String> = []
        for name in nodes.flatMap(\.uses) where sequences[name] != nil && listed.insert(name).inserted {
            let values = sequences[name] ?? []
            all.append(
                Node(
                    name: "sequence \(name)", opType: values.isEmpty ? "SequenceEmpty" : "SequenceConstruct",
                    inputs: values, outputs: [name]))
        }
        all += nodes
        var rest = Graph(
            name: whole.name, inputs: [], outputs: whole.outputs.filter { makes($0.name) }, nodes: all,
            constants: [:], opsetVersion: whole.opsetVersion)
        var known = values.union(listed)
        for name in all.flatMap(\.uses) where known.insert(name).inserted {
            if let constant = constants[name] {
                rest.constants[name] = constant
            } else if let type = types[name] {
                rest.inputs.append(
                    ValueInfo(
                        name: name, elementType: type.elementType, dimensions: type.shape.dimensions.map { .fixed($0) })
                )
            }
        }
        let asked = Set(unknown.compactMap(\.tensor))
        let parameters = rest.inputs.map(\.name).filter(asked.contains)
        if parameters.isEmpty, let error = unknown.first { throw error }
        return .init(graph: rest, parameters: parameters)
    }
}
