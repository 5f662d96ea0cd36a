/// `model_output`: outputs of the nodes that nothing follows. A graph output that another node takes as well is not
/// among them, as in the reference.
enum ModelOutputRule {
    static func apply(to state: inout PlacementState) {
        guard let quantized = state.config.isModelOutputQuantized else { return }
        for index in state.graph.graph.nodes.indices where state.graph.followers(of: index).isEmpty {
            for output in state.graph.outputActivations(of: index) {
                state.set(
                    .enabled(quantized), of: output, by: "model_output.is_output_quantized",
                    at: state.graph.graph.nodes[index])
            }
        }
    }
}
