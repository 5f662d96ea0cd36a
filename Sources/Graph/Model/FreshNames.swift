import Operators

/// Names for new values and nodes of a graph, unlike all that it has.
public struct FreshNames: Sendable {
    private var values: Set<String>
    private var nodes: Set<String>

    /// For a graph as it is now.
    public init(_ graph: Graph) {
        values = Set(graph.constants.keys).union(graph.inputs.map(\.name)).union(graph.nodes.flatMap(\.outputs))
        nodes = Set(graph.nodes.map(\.name))
        for body in graph.nodes.flatMap(\.subgraphs.values) { add(body) }
    }

    private mutating func add(_ body: Subgraph) {
        values.formUnion(body.ownValues)
        nodes.formUnion(body.nodes.map(\.name))
        for inner in body.nodes.flatMap(\.subgraphs.values) { add(inner) }
    }

    /// All of them, of values and of nodes.
    var all: Set<String> { values.union(nodes) }

    /// `base`, or with the first number that makes it unlike all others: `base_1`.
    public mutating func value(_ base: String) -> String { Self.fresh(base, &values) }

    /// The same for the name of a node.
    public mutating func node(_ base: String) -> String { Self.fresh(base, &nodes) }

    private static func fresh(_ base: String, _ taken: inout Set<String>) -> String {
        var name = base
        var number = 1
        while !taken.insert(name).inserted {
            name = "\(base)_\(number)"
            number += 1
        }
        return name
    }
}
