import Graph

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

/// `params`: by kind of parameter.
enum ParametersRule {
    static func apply(to state: inout PlacementState) {
        for parameter in state.graph.parameters.joined() {
            if let rule = state.config.parameters[parameter.kind] {
                state.apply(rule, to: parameter.tensor, path: "params.\(parameter.kind)")
            }
        }
    }
}

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

/// `supergroups`: chains of ops that run as one on the target, whose inner tensors never exist there. Longer patterns are
/// matched first and no node is in two matches.
///
/// A chain is not matched where a node other than its last has more than one follower, or where its first node is
/// depthwise, has three spatial axes or is an RMSNormalization that a pass claims. A graph output is no follower, as in the
/// reference: an inner tensor that is a graph output loses its quantizer all the same.
enum SupergroupsRule {
    static func apply(to state: inout PlacementState) {
        var matched: Set<Int> = []
        let patterns = state.config.supergroups.enumerated()
            .sorted { ($1.element.count, $0.offset) < ($0.element.count, $1.offset) }
        for (place, pattern) in patterns {
            for first in state.graph.graph.nodes.indices {
                guard let chain = match(pattern, from: first, in: state), matched.isDisjoint(with: chain) else {
                    continue
                }
                matched.formUnion(chain)
                for node in chain.dropLast() {
                    for output in state.graph.outputActivations(of: node) {
                        state.set(
                            .enabled(false), of: output,
                            by: "supergroups[\(place)] (\(pattern.joined(separator: "+")))",
                            at: state.graph.graph.nodes[node])
                    }
                }
            }
        }
    }

    private static func match(_ pattern: [String], from first: Int, in state: PlacementState) -> [Int]? {
        let nodes = state.graph.graph.nodes
        guard nodes[first].opType == pattern[0], !isExcluded(first, in: state) else { return nil }
        var chain = [first]
        for opType in pattern.dropFirst() {
            let followers = state.graph.followers(of: chain[chain.count - 1])
            guard followers.count == 1, nodes[followers[0]].opType == opType else { return nil }
            chain.append(followers[0])
        }
        return chain
    }

    private static func isExcluded(_ index: Int, in state: PlacementState) -> Bool {
        let node = state.graph.graph.nodes[index]
        // The reference's pass claims the op itself too. Those of the other passes are free.
        let claiming = FusionPass.rmsNormalization.rawValue
        if node.opType == claiming { return state.config.supergroupPasses.contains(claiming) }
        guard node.opType == "Conv" || node.opType == "ConvTranspose", node.inputs.count > 1,
            let weight = state.graph.graph.constants[node.inputs[1]]
        else { return false }
        if weight.shape.rank == 5 { return true }
        guard case .int(let groups)? = node.attributes["group"], groups != 1, weight.shape.rank >= 2 else {
            return false
        }
        return node.opType == "Conv" ? weight.shape[1] == 1 : weight.shape[0] == groups
    }
}

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

/// `per_channel_quantization`: by op type, else as `defaults` says, for all parameters of the op.
enum PerChannelRule {
    static func apply(to state: inout PlacementState) throws(SimulationError) {
        var axes: [String: Int?] = [:]
        for (index, node) in state.graph.graph.nodes.enumerated() {
            let ofOpType = state.config.opTypes[node.opType]?.perChannelQuantization
            guard ofOpType ?? state.config.defaults.perChannelQuantization ?? false else { continue }
            let section = ofOpType == nil ? "defaults" : "op_type.\(node.opType)"
            for parameter in state.graph.parameters[index] {
                if let earlier = axes.updateValue(parameter.channelAxis, forKey: parameter.tensor),
                    earlier != parameter.channelAxis
                {
                    throw SimulationError(
                        .conflictingParameter, tensor: parameter.tensor, node: node.name,
                        expected: earlier.map { "axis \($0)" }, found: parameter.channelAxis.map { "axis \($0)" })
                }
                state.set(
                    .channelAxis(parameter.channelAxis), of: parameter.tensor,
                    by: section + ".per_channel_quantization", at: node)
            }
        }
    }
}
