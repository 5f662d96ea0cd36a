import Graph

/// A graph whose normalizations in elementary ops are one node each, as they are on the target: what rules look at.
struct FusedGraph {
    let graph: Graph
    /// Names of the nodes that stand for patterns.
    private(set) var fusedNodes: Set<String> = []
    /// Tensors that exist inside of patterns only, in the order of their nodes, and why they have no quantizer.
    private(set) var innerTensors: [(tensor: String, reason: PlacementStep)] = []

    /// - Parameter passes: names of the patterns that are looked for.
    init(_ original: Graph, passes: [String]) {
        let patterns = NormalizationPattern.all(in: original, Set(passes))
        let floats = FloatTensors(original)
        var fused: [Int: Node] = [:]
        var inner: [Int: PlacementStep] = [:]
        for pattern in patterns {
            let last = original.nodes[pattern.last]
            fused[pattern.last] = Node(
                name: last.name, opType: pattern.opType, inputs: pattern.inputs, outputs: last.outputs)
            fusedNodes.insert(last.name)
            let step = PlacementStep(
                change: .enabled(false), rule: "supergroup_pass_list.\(pattern.opType)", node: last.name)
            for index in pattern.nodes where index != pattern.last { inner[index] = step }
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
