/// `per_channel_quantization`: by op type, else as `defaults` says, for all parameters of the op.
enum PerChannelRule {
    static func apply(to state: inout PlacementState) throws(SimulationError) {
        var axes: [String: Int?] = [:]
        for (index, node) in state.graph.graph.nodes.enumerated() {
            let isPerChannel =
                state.config.opTypes[node.opType]?.perChannelQuantization
                ?? state.config.defaults.perChannelQuantization ?? false
            guard isPerChannel else { continue }
            for parameter in state.graph.parameters[index] {
                if let earlier = axes.updateValue(parameter.channelAxis, forKey: parameter.tensor),
                    earlier != parameter.channelAxis
                {
                    throw SimulationError(
                        .conflictingParameter, tensor: parameter.tensor, node: node.name,
                        expected: earlier.map { "axis \($0)" }, found: parameter.channelAxis.map { "axis \($0)" })
                }
                state.parameters[parameter.tensor]?.channelAxis = parameter.channelAxis
            }
        }
    }
}
