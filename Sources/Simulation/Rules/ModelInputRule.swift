/// `model_input`: graph inputs, and the constants that are operands of ops rather than parameters of layers.
enum ModelInputRule {
    static func apply(to state: inout PlacementState) {
        guard let quantized = state.config.isModelInputQuantized else { return }
        let inputs = Set(state.graph.graph.inputs.map(\.name))
        for (name, quantizer) in state.activations where inputs.contains(name) || quantizer.isConstant {
            state.set(.enabled(quantized), of: name, by: "model_input.is_input_quantized")
        }
    }
}
