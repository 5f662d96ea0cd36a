import Graph

/// `supergroups`: chains of ops that run as one on the target, whose inner tensors never exist there. Longer patterns are
/// matched first and no node is in two matches.
///
/// A chain is not matched where a node other than its last has more than one follower, or where its first node is
/// depthwise, has three spatial axes or is an RMSNormalization that a pass claims. A graph output is no follower, as in the
/// reference: an inner tensor that is a graph output loses its quantizer all the same.
enum SupergroupsRule {
    static func apply(to state: inout PlacementState) {
        var matched: Set<Int> = []
        let patterns = state.config.supergroups.enumerated()
            .sorted { ($1.element.count, $0.offset) < ($0.element.count, $1.offset) }
        for (place, pattern) in patterns {
            for first in state.graph.graph.nodes.indices {
                guard let chain = match(pattern, from: first, in: state), matched.isDisjoint(with: chain) else {
                    continue
                }
                matched.formUnion(chain)
                for node in chain.dropLast() {
                    for output in state.graph.outputActivations(of: node) {
                        state.set(
                            .enabled(false), of: output,
                            by: "supergroups[\(place)] (\(pattern.joined(separator: "+")))",
                            at: state.graph.graph.nodes[node])
                    }
                }
            }
        }
    }

    private static func match(_ pattern: [String], from first: Int, in state: PlacementState) -> [Int]? {
        let nodes = state.graph.graph.nodes
        guard nodes[first].opType == pattern[0], !isExcluded(first, in: state) else { return nil }
        var chain = [first]
        for opType in pattern.dropFirst() {
            let followers = state.graph.followers(of: chain[chain.count - 1])
            guard followers.count == 1, nodes[followers[0]].opType == opType else { return nil }
            chain.append(followers[0])
        }
        return chain
    }

    private static func isExcluded(_ index: Int, in state: PlacementState) -> Bool {
        let node = state.graph.graph.nodes[index]
        // The reference's pass claims the op itself too. Those of the other passes are free.
        let claiming = FusionPass.rmsNormalization.rawValue
        if node.opType == claiming { return state.config.supergroupPasses.contains(claiming) }
        guard node.opType == "Conv" || node.opType == "ConvTranspose", node.inputs.count > 1,
            let weight = state.graph.graph.constants[node.inputs[1]]
        else { return false }
        if weight.shape.rank == 5 { return true }
        guard case .int(let groups)? = node.attributes["group"], groups != 1, weight.shape.rank >= 2 else {
            return false
        }
        return node.opType == "Conv" ? weight.shape[1] == 1 : weight.shape[0] == groups
    }
}
