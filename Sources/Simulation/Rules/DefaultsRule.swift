/// `defaults`: outputs of ops and parameters. Constants and graph inputs stay off; `model_input` enables them.
enum DefaultsRule {
    static func apply(to state: inout PlacementState) throws(SimulationError) {
        let defaults = state.config.defaults
        var section = SectionSettings()
        for (index, node) in state.graph.graph.nodes.enumerated() {
            let outputs = state.graph.outputActivations(of: index)
            if let quantized = defaults.isOutputQuantized {
                try section.setEnabled(
                    quantized, outputs, by: "defaults.ops.is_output_quantized", at: node, in: &state)
            }
            if let symmetric = defaults.isSymmetric {
                let tensors = state.graph.inputActivations(of: index) + outputs
                try section.setSymmetric(
                    symmetric, tensors, by: "defaults.ops.is_symmetric", at: node, in: &state)
            }
        }
        for name in state.parameters.keys { state.apply(defaults.parameters, to: name, path: "defaults.params") }
        for name in state.activations.keys {
            state.activations[name]?.settings.strictSymmetric = defaults.strictSymmetric ?? false
            state.activations[name]?.settings.unsignedSymmetric = defaults.unsignedSymmetric ?? false
        }
        for name in state.parameters.keys {
            state.parameters[name]?.settings.strictSymmetric = defaults.strictSymmetric ?? false
            state.parameters[name]?.settings.unsignedSymmetric = defaults.unsignedSymmetric ?? false
        }
    }
}
