import Graph
import Nodes
import Operators
import Quantization

/// The quantizers of a graph while the rules are applied one after the other.
struct PlacementState {
    let graph: PlacementGraph
    let config: SimulationConfig
    /// By tensor name.
    var activations: [String: PlacedQuantizer] = [:]
    var parameters: [String: PlacedQuantizer] = [:]
    /// The other tensors that have a tensor's quantizer.
    private var sharers: [String: Set<String>] = [:]
    /// What made each quantizer what it is, by tensor, in order.
    private(set) var steps: [String: [PlacementStep]] = [:]

    init(graph: PlacementGraph, config: SimulationConfig, settings: QuantizerSettings) {
        self.graph = graph
        self.config = config
        for name in graph.activations {
            activations[name] = PlacedQuantizer(
                activation: name, settings: settings, isConstant: graph.graph.constants[name] != nil)
        }
        for name in graph.parameterNames {
            parameters[name] = PlacedQuantizer(
                tensor: name, role: .parameter, settings: settings, channelAxis: nil, enabled: false, isConstant: true,
                constraints: nil, group: name)
        }
    }

    /// Changes the quantizer of a tensor, which remembers why. Changes nothing where the tensor has none.
    mutating func set(_ change: PlacementStep.Change, of tensor: String, by rule: String, at node: Node? = nil) {
        if var quantizer = activations[tensor] {
            quantizer.apply(change)
            activations[tensor] = quantizer
        } else if var quantizer = parameters[tensor] {
            quantizer.apply(change)
            parameters[tensor] = quantizer
        } else {
            return
        }
        steps[tensor, default: []].append(PlacementStep(change: change, rule: rule, node: node?.name))
    }

    /// Gives `tensor` the quantizer of `owner`. Others that share the tensor's own quantizer keep it.
    mutating func share(_ owner: String, with tensor: String, by rule: String, at node: Node) {
        guard let own = activations[tensor] else { return }
        let heirs = (sharers.removeValue(forKey: tensor) ?? []).sorted()
        if let heir = heirs.first {
            for other in heirs { activations[other]?.group = heir }
            activations[heir]?.settings = own.settings
            activations[heir]?.constraints = own.constraints
            sharers[heir] = Set(heirs.dropFirst())
        }
        sharers[own.group]?.remove(tensor)
        sharers[owner, default: []].insert(tensor)
        set(.shared(with: owner), of: tensor, by: rule, at: node)
    }

    /// Gives the quantizer of `owner` to all that have the quantizer of `tensor`, whether it is enabled or not.
    mutating func merge(_ tensor: String, into owner: String, by rule: String, at node: Node) {
        guard let old = activations[tensor]?.group, let new = activations[owner]?.group, old != new,
            let isEnabled = activations[new]?.enabled
        else { return }
        let members = (sharers.removeValue(forKey: old) ?? []).union([old])
        sharers[new, default: []].formUnion(members)
        for member in members.sorted() {
            set(.shared(with: new), of: member, by: rule, at: node)
            if activations[member]?.enabled != isEnabled { set(.enabled(isEnabled), of: member, by: rule, at: node) }
        }
    }

    /// - Parameter path: where the rule is in the config.
    mutating func apply(
        _ rule: SimulationConfig.ParameterRule, to parameter: String, path: String, at node: Node? = nil
    ) {
        if let quantized = rule.isQuantized {
            set(.enabled(quantized), of: parameter, by: path + ".is_quantized", at: node)
        }
        if let symmetric = rule.isSymmetric {
            set(.symmetric(symmetric), of: parameter, by: path + ".is_symmetric", at: node)
        }
    }

    /// The shared quantizer of a tensor, if enabled.
    func enabledQuantizer(of tensor: String) -> PlacedQuantizer? {
        guard let own = activations[tensor], own.enabled else { return nil }
        return activations[own.group]
    }

    /// The quantizer whose grid a tensor is on, and the nodes between them, which preserve grids.
    func effectiveQuantizer(of tensor: String) -> (quantizer: PlacedQuantizer, path: [Int])? {
        graph.gridSource(of: tensor, where: enabledQuantizer)
    }
}

/// What one section of the config has set so far, to notice two nodes that want different things of one tensor.
struct SectionSettings {
    private var enabled: [String: Bool] = [:]
    private var symmetric: [String: Bool] = [:]
    private var constraints: [String: EncodingConstraints] = [:]

    /// - Parameter path: where the rule is in the config.
    mutating func setEnabled(
        _ value: Bool, _ tensors: [String], by path: String, at node: Node, in state: inout PlacementState
    ) throws(SimulationError) {
        for tensor in tensors {
            try check(enabled.updateValue(value, forKey: tensor), value, path, tensor, node)
            state.set(.enabled(value), of: tensor, by: path, at: node)
        }
    }

    mutating func setSymmetric(
        _ value: Bool, _ tensors: [String], by path: String, at node: Node, in state: inout PlacementState
    ) throws(SimulationError) {
        for tensor in tensors {
            try check(symmetric.updateValue(value, forKey: tensor), value, path, tensor, node)
            state.set(.symmetric(value), of: tensor, by: path, at: node)
        }
    }

    mutating func setConstraints(
        _ value: EncodingConstraints, _ tensors: [String], by path: String, at node: Node,
        in state: inout PlacementState
    ) throws(SimulationError) {
        for tensor in tensors {
            try check(constraints.updateValue(value, forKey: tensor), value, path, tensor, node)
            state.set(.constraints(value), of: tensor, by: path, at: node)
            if let max = value.max, abs(max + value.min) <= 1e-8 + 1e-5 * abs(max) {
                state.set(.symmetric(true), of: tensor, by: path, at: node)
            }
        }
    }

    private func check<Value: Equatable>(
        _ earlier: Value?, _ value: Value, _ path: String, _ tensor: String, _ node: Node
    ) throws(SimulationError) {
        if let earlier, earlier != value {
            throw SimulationError(
                .conflictingSettings, path: path, tensor: tensor, node: node.name,
                expected: "\(earlier)", found: "\(value)")
        }
    }
}
