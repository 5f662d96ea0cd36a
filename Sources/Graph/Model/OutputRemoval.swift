extension Graph {
    /// The graph without one of its outputs, and without the nodes, inputs and constants that only this output needed. What
    /// nobody needed before stays: dropping it is not this function's business.
    public func removingOutput(_ name: String) -> Graph {
        var remaining = self
        remaining.outputs.removeAll { $0.name == name }
        let removed = ancestors(of: [name])
        let kept = ancestors(of: remaining.outputs.map(\.name))
        remaining.nodes.removeAll { !removed.isDisjoint(with: $0.outputs) && kept.isDisjoint(with: $0.outputs) }
        let uses = ValueUses(remaining)
        remaining.inputs.removeAll { removed.contains($0.name) && !uses.isUsed($0.name) }
        remaining.constants = remaining.constants.filter { !removed.contains($0.key) || uses.isUsed($0.key) }
        return remaining
    }

    /// What computes one value: the graph with this for its only output, and without the nodes and constants that it does not need.
    /// All inputs stay.
    public func computing(_ value: String) -> Graph {
        var part = self
        part.outputs = [ValueInfo(name: value, elementType: .float32, dimensions: nil)]
        let needed = ancestors(of: [value])
        part.nodes.removeAll { needed.isDisjoint(with: $0.outputs) }
        part.constants = part.constants.filter { needed.contains($0.key) }
        return part
    }

    /// The values that some values are computed from, these included.
    private func ancestors(of values: [String]) -> Set<String> {
        var result = Set(values)
        for node in nodes.reversed() where !result.isDisjoint(with: node.outputs) {
            result.formUnion(node.uses)
        }
        result.remove("")
        return result
    }
}
