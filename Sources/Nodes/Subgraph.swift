import Tensors

/// A graph that a node has as an attribute: a branch of If, the body of Loop or Scan. Its nodes see the values of the graphs
/// around it.
public struct Subgraph: Sendable, Equatable {
    /// What whoever runs it gives, in order.
    public var inputs: [String]
    /// What it gives back, in order: values of its own, or of the graphs around it.
    public var outputs: [String]
    /// In topological order.
    public var nodes: [Node]
    /// Initializers by name.
    public var constants: [String: Tensor]

    /// The parts are taken as they are.
    public init(inputs: [String], outputs: [String], nodes: [Node], constants: [String: Tensor]) {
        self.inputs = inputs
        self.outputs = outputs
        self.nodes = nodes
        self.constants = constants
    }

    /// Values of its own: inputs, constants, and what its nodes make.
    public var ownValues: Set<String> {
        Set(inputs).union(constants.keys).union(nodes.flatMap(\.outputs)).subtracting([""])
    }

    /// Values of the graphs around it that it uses, each once, in the order of their first use.
    public var captures: [String] {
        var known = ownValues.union([""])
        return (nodes.flatMap(\.uses) + outputs).filter { known.insert($0).inserted }
    }

    /// The same with other names for values of the graphs around it.
    public func renamingCaptures(_ names: [String: String]) -> Subgraph {
        let own = ownValues
        let outer = names.filter { !own.contains($0.key) }
        return outer.isEmpty ? self : renamed(outer)
    }

    /// Its nodes and constants under the names that `names` gives, and what its outputs are called then.
    package func renamed(_ names: [String: String]) -> Subgraph {
        var result = self
        result.inputs = inputs.map { names[$0] ?? $0 }
        result.outputs = outputs.map { names[$0] ?? $0 }
        result.nodes = nodes.map { $0.renamed(names) }
        result.constants = Dictionary(constants.map { (names[$0] ?? $0, $1) }) { first, _ in first }
        return result
    }
}

extension Node {
    /// The graphs that it has as attributes, by attribute name.
    public var subgraphs: [String: Subgraph] {
        func graph(_ attribute: Attribute) -> Subgraph? { if case .graph(let graph) = attribute { graph } else { nil } }
        // Nearly all nodes have none.
        guard attributes.values.contains(where: { graph($0) != nil }) else { return [:] }
        return attributes.compactMapValues(graph)
    }

    /// The graphs in it, and those in their nodes.
    public var allSubgraphs: [Subgraph] {
        subgraphs.values.flatMap { [$0] + $0.nodes.flatMap(\.allSubgraphs) }
    }

    /// The values that it uses: its inputs, the absent ones left out, and what the graphs in it use of those around them.
    public var uses: [String] {
        let named = inputs.filter { !$0.isEmpty }
        let graphs = subgraphs
        return graphs.isEmpty ? named : named + graphs.sorted { $0.key < $1.key }.flatMap(\.value.captures)
    }

    /// The node with other names for values, in the graphs in it too.
    package func renamed(_ names: [String: String]) -> Node {
        var result = self
        result.inputs = inputs.map { names[$0] ?? $0 }
        result.outputs = outputs.map { names[$0] ?? $0 }
        return result.renamingCaptures(names)
    }

    /// The node with other names for the values that the graphs in it use of those around them.
    public func renamingCaptures(_ names: [String: String]) -> Node {
        var result = self
        for (key, graph) in subgraphs { result.attributes[key] = .graph(graph.renamingCaptures(names)) }
        return result
    }
}
