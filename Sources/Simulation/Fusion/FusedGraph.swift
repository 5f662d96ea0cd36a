import Graph

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
