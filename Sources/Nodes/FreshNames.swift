/// Names for new values and nodes of a graph, unlike all that it has.
public struct FreshNames: Sendable {
    private var values: Taken
    private var nodes: Taken

    /// For a graph that has these names.
    public init(values: some Sequence<String>, nodes: some Sequence<String>) {
        (self.values, self.nodes) = (Taken(values), Taken(nodes))
    }

    /// `base`, or with the first number that makes it unlike all others: `base_1`.
    public mutating func value(_ base: String) -> String { values.fresh(base) }

    /// The same for the name of a node.
    public mutating func node(_ base: String) -> String { nodes.fresh(base) }

    private struct Taken {
        var names: Set<String>
        /// The last number that a base got, so that many names of one base take time in proportion.
        var numbers: [String: Int] = [:]

        init(_ names: some Sequence<String>) { self.names = Set(names) }

        mutating func fresh(_ base: String) -> String {
            guard !names.insert(base).inserted else { return base }
            var number = numbers[base, default: 0] + 1
            while !names.insert("\(base)_\(number)").inserted { number += 1 }
            numbers[base] = number
            return "\(base)_\(number)"
        }
    }
}
