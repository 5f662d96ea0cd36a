import Graph

/// The pass `MatmulAdd`: a product with a constant matrix followed by the addition of a constant vector runs as one op on
/// the target. The product itself is not quantized, and the vector is a bias.
enum MatMulAddRule {
    private static let rule = "supergroup_pass_list.MatmulAdd"

    /// Nodes of such a pair.
    static func pairs(in graph: PlacementGraph) -> [(product: Int, sum: Int, bias: String)] {
        graph.graph.nodes.indices.compactMap { product in
            let node = graph.graph.nodes[product]
            let followers = graph.followers(of: product)
            guard node.opType == "MatMul", node.inputs.count == 2, followers.count == 1,
                graph.graph.constants[node.inputs[1]]?.shape.rank == 2
            else { return nil }
            let sum = graph.graph.nodes[followers[0]]
            guard sum.opType == "Add",
                let bias = sum.inputs.first(where: { graph.graph.constants[$0]?.shape.rank == 1 })
            else { return nil }
            return (product, followers[0], bias)
        }
    }

    /// Before the supergroups, which leave these nodes alone.
    static func claim(in state: inout PlacementState) {
        guard state.config.supergroupPasses.contains("MatmulAdd") else { return }
        for pair in pairs(in: state.graph) { state.claimedNodes.formUnion([pair.product, pair.sum]) }
    }

    /// After all sections.
    static func apply(to state: inout PlacementState) {
        guard state.config.supergroupPasses.contains("MatmulAdd") else { return }
        let isBiasQuantized = state.config.parameters["bias"]?.isQuantized ?? true
        for pair in pairs(in: state.graph) {
            for output in state.graph.outputActivations(of: pair.product) {
                state.set(.enabled(false), of: output, by: rule, at: state.graph.graph.nodes[pair.product])
            }
            if !isBiasQuantized {
                state.set(.enabled(false), of: pair.bias, by: rule, at: state.graph.graph.nodes[pair.sum])
            }
        }
    }
}
