/// `op_type`: by op. An op that preserves its input's grid and is not named here has no output quantizer.
enum OpTypeRules {
    static func apply(to state: inout PlacementState) throws(SimulationError) {
        var section = SectionSettings()
        for (index, node) in state.graph.graph.nodes.enumerated() {
            let outputs = state.graph.outputActivations(of: index)
            guard let rule = state.config.opTypes[node.opType] else {
                if OperatorTraits.gridPreserving.contains(node.opType) {
                    try section.setEnabled(
                        false, outputs, by: BuiltInRule.gridPreservingOp, at: node, in: &state)
                }
                continue
            }
            let path = "op_type.\(node.opType)"
            let inputs = state.graph.inputActivations(of: index)
            if let quantized = rule.isInputQuantized {
                try section.setEnabled(
                    quantized, inputs, by: path + ".is_input_quantized", at: node, in: &state)
            }
            if let quantized = rule.isOutputQuantized {
                try section.setEnabled(
                    quantized, outputs, by: path + ".is_output_quantized", at: node, in: &state)
            }
            if let symmetric = rule.isSymmetric {
                try section.setSymmetric(
                    symmetric, inputs + outputs, by: path + ".is_symmetric", at: node, in: &state)
            }
            if let constraints = rule.constraints {
                try section.setConstraints(
                    constraints, outputs, by: path + ".encoding_constraints", at: node, in: &state)
            }
            for parameter in state.graph.parameters[index] {
                if let parameterRule = rule.parameters[parameter.kind] {
                    state.apply(
                        parameterRule, to: parameter.tensor, path: path + ".params.\(parameter.kind)", at: node)
                }
            }
        }
    }
}
