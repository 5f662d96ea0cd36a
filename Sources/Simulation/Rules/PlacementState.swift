import Graph
import Quantization

/// The quantizers of a graph while the rules are applied one after the other.
struct PlacementState {
    let graph: PlacementGraph
    let config: SimulationConfig
    /// By tensor name.
    var activations: [String: Quantizer] = [:]
    var parameters: [String: Quantizer] = [:]
    /// Nodes that a built-in pattern has fused, which supergroups leave alone.
    var claimedNodes: Set<Int> = []

    init(graph: PlacementGraph, config: SimulationConfig, settings: QuantizerSettings) {
        self.graph = graph
        self.config = config
        for name in graph.activations {
            activations[name] = Quantizer(
                tensor: name, role: .activation, settings: settings, channelAxis: nil, enabled: false,
                isConstant: graph.graph.constants[name] != nil, constraints: nil, group: name)
        }
        for name in graph.parameterNames {
            parameters[name] = Quantizer(
                tensor: name, role: .parameter, settings: settings, channelAxis: nil, enabled: false, isConstant: true,
                constraints: nil, group: name)
        }
    }

    mutating func apply(_ rule: SimulationConfig.ParameterRule, to parameter: String) {
        if let quantized = rule.isQuantized { parameters[parameter]?.enabled = quantized }
        if let symmetric = rule.isSymmetric { parameters[parameter]?.settings.symmetric = symmetric }
    }
}

/// What one section of the config has set so far, to notice two nodes that want different things of one tensor.
struct SectionSettings {
    /// Where in the config the section is, for errors.
    let path: String
    private var enabled: [String: Bool] = [:]
    private var symmetric: [String: Bool] = [:]
    private var constraints: [String: EncodingConstraints] = [:]

    init(path: String) {
        self.path = path
    }

    mutating func setEnabled(
        _ value: Bool, _ tensors: [String], at node: Node?, in state: inout PlacementState
    ) throws(SimulationError) {
        for tensor in tensors {
            try check(enabled.updateValue(value, forKey: tensor), value, "enabled", tensor, node)
            state.activations[tensor]?.enabled = value
        }
    }

    mutating func setSymmetric(
        _ value: Bool, _ tensors: [String], at node: Node?, in state: inout PlacementState
    ) throws(SimulationError) {
        for tensor in tensors {
            try check(symmetric.updateValue(value, forKey: tensor), value, "is_symmetric", tensor, node)
            state.activations[tensor]?.settings.symmetric = value
        }
    }

    mutating func setConstraints(
        _ value: EncodingConstraints, _ tensors: [String], at node: Node?, in state: inout PlacementState
    ) throws(SimulationError) {
        for tensor in tensors {
            try check(constraints.updateValue(value, forKey: tensor), value, "encoding_constraints", tensor, node)
            state.activations[tensor]?.constraints = value
            if let max = value.max, abs(max + value.min) <= 1e-8 + 1e-5 * abs(max) {
                state.activations[tensor]?.settings.symmetric = true
            }
        }
    }

    private func check<Value: Equatable>(
        _ earlier: Value?, _ value: Value, _ setting: String, _ tensor: String, _ node: Node?
    ) throws(SimulationError) {
        if let earlier, earlier != value {
            throw SimulationError(
                .conflictingSettings, path: "\(path).\(setting)", tensor: tensor, node: node?.name,
                expected: "\(earlier)", found: "\(value)")
        }
    }
}
