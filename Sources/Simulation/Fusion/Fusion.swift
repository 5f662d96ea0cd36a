import Graph

/// Nodes that run as one op on the target.
struct Fusion {
    /// What asks for it.
    let pass: FusionPass
    /// Of the one op, as the sections of a config call it.
    let opType: String
    /// Of the one op. Constants of the pattern that the op has built in are not among them.
    var inputs: [String]
    /// Indices of all its nodes.
    var nodes: Set<Int>
    /// The node that makes the result.
    var last: Int

    /// All fusions in a graph; no node is in two.
    static func all(in graph: Graph, _ passes: Set<FusionPass>) -> [Fusion] {
        let graph = PatternGraph(graph)
        let normalizations = NormalizationMatcher(graph: graph, passes: passes)
        // Normalizations with a scale first: its last node alone tells that from the same without one.
        var matchers: [(Int) -> [Fusion]] = [normalizations.scaled, normalizations.unscaled]
        if passes.contains(.matMulAdd) { matchers.append { MatMulAddPattern.fusions(endingAt: $0, in: graph) } }
        if passes.contains(.maskedSoftmax) { matchers.append { MaskedSoftmaxPattern.fusions(endingAt: $0, in: graph) } }
        if passes.contains(.gelu) { matchers.append { GELUPattern.fusions(around: $0, in: graph) } }

        var found: [Fusion] = []
        var taken: Set<Int> = []
        for match in matchers {
            for index in graph.nodes.indices {
                let isFree = { graph.isClosed($0) && taken.isDisjoint(with: $0.nodes) }
                guard let fusion = match(index).first(where: isFree) else { continue }
                taken.formUnion(fusion.nodes)
                found.append(fusion)
            }
        }
        return found
    }
}
