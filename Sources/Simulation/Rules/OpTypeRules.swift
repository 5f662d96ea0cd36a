/// `op_type`: by op. An op that preserves its input's grid and is not named here has no output quantizer.
enum OpTypeRules {
    static func apply(to state: inout PlacementState) throws(SimulationError) {
        var section = SectionSettings(path: "op_type")
        for (index, node) in state.graph.graph.nodes.enumerated() {
            let outputs = state.graph.outputActivations(of: index)
            guard let rule = state.config.opTypes[node.opType] else {
                if OperatorTraits.gridPreserving.contains(node.opType) {
                    try section.setEnabled(false, outputs, at: node, in: &state)
                }
                continue
            }
            let inputs = state.graph.inputActivations(of: index)
            if let quantized = rule.isInputQuantized {
                try section.setEnabled(quantized, inputs, at: node, in: &state)
            }
            if let quantized = rule.isOutputQuantized {
                try section.setEnabled(quantized, outputs, at: node, in: &state)
            }
            if let symmetric = rule.isSymmetric {
                try section.setSymmetric(symmetric, inputs + outputs, at: node, in: &state)
            }
            if let constraints = rule.constraints {
                try section.setConstraints(constraints, outputs, at: node, in: &state)
            }
            for parameter in state.graph.parameters[index] {
                if let parameterRule = rule.parameters[parameter.kind] {
                    state.apply(parameterRule, to: parameter.tensor)
                }
            }
        }
    }
}
