import Graph
import Nodes
import Operators

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

/// A graph whose patterns are one node each, as they are on the target: what rules look at.
struct FusedGraph {
    let graph: Graph
    /// Tensors that exist inside of patterns only, in the order of their nodes, and why they have no quantizer.
    private(set) var innerTensors: [(tensor: String, reason: PlacementStep)] = []

    /// - Parameter passes: names of the patterns that are looked for, as in `FusionPass`.
    init(_ original: Graph, passes: [String]) {
        let floats = FloatTensors(original)
        var fused: [Int: Node] = [:]
        var inner: [Int: PlacementStep] = [:]
        for fusion in Fusion.all(in: original, Set(passes.compactMap(FusionPass.init))) {
            let last = original.nodes[fusion.last]
            fused[fusion.last] = Node(
                name: last.name, opType: fusion.opType, inputs: fusion.inputs, outputs: last.outputs)
            let step = PlacementStep(
                change: .enabled(false), rule: "supergroup_pass_list.\(fusion.pass.rawValue)", node: last.name)
            for index in fusion.nodes where index != fusion.last { inner[index] = step }
        }
        var graph = original
        graph.nodes = original.nodes.indices.compactMap { index in
            inner[index] == nil ? fused[index] ?? original.nodes[index] : nil
        }
        self.graph = graph
        for (index, node) in original.nodes.enumerated() {
            guard let step = inner[index] else { continue }
            for output in node.outputs where floats.contains(output) { innerTensors.append((output, step)) }
        }
    }
}
