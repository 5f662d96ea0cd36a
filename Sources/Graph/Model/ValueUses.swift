/// Who makes and who uses each value of a graph; for one state of the graph.
public struct ValueUses: Sendable {
    /// Index of the node that makes the value; absent for inputs and constants.
    public let producers: Producers
    /// Indices of the nodes that use the value, ascending; a node that uses it twice is listed once.
    public let consumers: Consumers
    /// Names of the graph's outputs.
    public let outputs: Set<String>

    /// The node that makes a value, by the value's name.
    public struct Producers: Sendable {
        fileprivate let places: [String: Int]
        /// By place; -1 where no node makes the value.
        fileprivate let nodes: [Int]

        /// Nil where no node makes the value.
        public subscript(name: String) -> Int? {
            guard let place = places[name], nodes[place] >= 0 else { return nil }
            return nodes[place]
        }
    }

    /// The nodes that use a value, by the value's name.
    public struct Consumers: Sendable {
        fileprivate let places: [String: Int]
        /// Where the users of each value begin, by place, and the end of all.
        fileprivate let starts: [Int]
        fileprivate let users: [Int]

        /// Nil where no node uses the value.
        public subscript(name: String) -> ArraySlice<Int>? {
            guard let place = places[name], starts[place] < starts[place + 1] else { return nil }
            return users[starts[place]..<starts[place + 1]]
        }
    }

    /// Takes time in proportion to the graph. Each name is looked up once where it stands: of large graphs, most of the time goes
    /// into that.
    public init(_ graph: Graph) {
        var places = [String: Int](minimumCapacity: graph.nodes.count + graph.constants.count)
        var makers: [Int] = []
        // Of the value at a place, and the node that used it last.
        var counts: [Int] = []
        var lastUsers: [Int] = []
        func place(of name: String) -> Int {
            let next = makers.count
            let place = places[name, default: next]
            guard place == next else { return place }
            places[name] = next
            makers.append(-1)
            counts.append(0)
            lastUsers.append(-1)
            return next
        }
        var uses: [(place: Int, node: Int)] = []
        uses.reserveCapacity(2 * graph.nodes.count)
        for (index, node) in graph.nodes.enumerated() {
            for name in node.outputs where !name.isEmpty { makers[place(of: name)] = index }
            for name in node.uses {
                let place = place(of: name)
                guard lastUsers[place] != index else { continue }
                lastUsers[place] = index
                counts[place] += 1
                uses.append((place, index))
            }
        }
        var starts = [0]
        starts.reserveCapacity(counts.count + 1)
        for count in counts { starts.append(starts[starts.count - 1] + count) }
        var next = starts
        var users = [Int](repeating: 0, count: uses.count)
        for (place, node) in uses {
            users[next[place]] = node
            next[place] += 1
        }
        producers = Producers(places: places, nodes: makers)
        consumers = Consumers(places: places, starts: starts, users: users)
        outputs = Set(graph.outputs.map(\.name))
    }

    /// The only node that uses the value; nil where there are none or several, or where it is a graph output.
    public func soleConsumer(of value: String) -> Int? {
        guard !outputs.contains(value), let users = consumers[value], users.count == 1 else { return nil }
        return users.first
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
