/// Who makes and who uses each value of a graph; for one state of the graph.
public struct ValueUses: Sendable {
    /// Index of the node that makes the value; absent for inputs and constants.
    public let producers: [String: Int]
    /// Indices of the nodes that use the value, ascending; a node that uses it twice is listed once.
    public let consumers: [String: [Int]]
    /// Names of the graph's outputs.
    public let outputs: Set<String>

    /// Takes time in proportion to the graph.
    public init(_ graph: Graph) {
        var producers: [String: Int] = [:]
        var consumers: [String: [Int]] = [:]
        for (index, node) in graph.nodes.enumerated() {
            for name in node.outputs where !name.isEmpty { producers[name] = index }
            for name in Set(node.uses) { consumers[name, default: []].append(index) }
        }
        self.producers = producers
        self.consumers = consumers
        outputs = Set(graph.outputs.map(\.name))
    }

    /// The only node that uses the value; nil where there are none or several, or where it is a graph output.
    public func soleConsumer(of value: String) -> Int? {
        guard !outputs.contains(value), let users = consumers[value], users.count == 1 else { return nil }
        return users[0]
    }

    /// Whether anybody uses the value.
    public func isUsed(_ value: String) -> Bool {
        outputs.contains(value) || consumers[value] != nil
    }
}

extension Graph {
    /// Indices of the nodes that use the value. For many questions about one graph, make a `ValueUses`.
    public func consumers(of value: String) -> [Int] {
        nodes.indices.filter { nodes[$0].uses.contains(value) }
    }

    /// Index of the node that makes the value; nil for inputs and constants.
    public func producer(of value: String) -> Int? {
        value.isEmpty ? nil : nodes.firstIndex { $0.outputs.contains(value) }
    }

    /// Whether the value is one of the graph's outputs.
    public func isOutput(_ value: String) -> Bool { outputs.contains { $0.name == value } }

    /// Whether the value is one of the graph's inputs; constants are none.
    public func isInput(_ value: String) -> Bool { inputs.contains { $0.name == value } }
}
