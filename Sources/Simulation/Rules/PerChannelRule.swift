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
