import Graph
import Quantization

/// The quantizers of a graph, by the rules of a config: one for each tensor that may have one, enabled or not.
///
/// Sections are applied in the order of the file, later ones win. The graph is the one that is simulated, so batch
/// norms are folded before.
public struct QuantizerPlacement: Equatable, Sendable {
    /// In the order in which the graph defines the tensors, inputs first; then those inside of patterns that run as one op.
    public let activations: [PlacedQuantizer]
    /// In the order of the nodes that take them.
    public let parameters: [PlacedQuantizer]
    /// What made each quantizer what it is, by tensor, in the order in which the rules were applied; empty for quantizers
    /// that were placed otherwise.
    public let steps: [String: [PlacementStep]]

    /// - Parameters:
    ///   - graph: with batch norms folded and constants as constants.
    ///   - activationBitwidth: 2 to 32.
    ///   - parameterBitwidth: 2 to 32.
    /// - Throws: `SimulationError` where the config wants different things of one tensor.
    public init(
        graph: Graph, config: SimulationConfig, activationBitwidth: Int, parameterBitwidth: Int,
        activationScheme: Scheme, parameterScheme: Scheme
    ) throws(SimulationError) {
        let fused = FusedGraph(graph, passes: config.supergroupPasses)
        let placementGraph = PlacementGraph(fused.graph)
        let settings = QuantizerSettings(bitwidth: activationBitwidth, scheme: activationScheme)
        var state = PlacementState(graph: placementGraph, config: config, settings: settings)
        try DefaultsRule.apply(to: &state)
        ParametersRule.apply(to: &state)
        try OpTypeRules.apply(to: &state)
        SupergroupsRule.apply(to: &state)
        ModelInputRule.apply(to: &state)
        ModelOutputRule.apply(to: &state)
        MaskRule.apply(to: &state)
        try PerChannelRule.apply(to: &state)
        for name in state.parameters.keys {
            state.set(.bitwidth(parameterBitwidth), of: name, by: BuiltInRule.requestedBitwidth)
            state.parameters[name]?.settings.scheme = parameterScheme
        }
        DynamicWeightRule.apply(to: &state)
        PrecisionRules.apply(to: &state)
        try TyingRules.apply(to: &state)
        RecurrentTying.apply(to: &state)

        // A shared quantizer has one set of settings, and every tensor that shares it shows them.
        let placed: [PlacedQuantizer] = placementGraph.activations.compactMap { name in
            guard var quantizer = state.activations[name], let owner = state.activations[quantizer.group] else {
                return nil
            }
            quantizer.settings = owner.settings
            quantizer.constraints = owner.constraints
            return quantizer
        }
        activations =
            placed
            + fused.innerTensors.map { PlacedQuantizer(activation: $0.tensor, settings: settings, isConstant: false) }
        steps = state.steps.merging(fused.innerTensors.map { ($0.tensor, [$0.reason]) }) { $1 }
        var seen: Set<String> = []
        parameters = placementGraph.parameters.joined().compactMap {
            seen.insert($0.tensor).inserted ? state.parameters[$0.tensor] : nil
        }
    }

    /// Quantizers that were placed by other rules.
    public init(
        activations: [PlacedQuantizer], parameters: [PlacedQuantizer], steps: [String: [PlacementStep]] = [:]
    ) {
        self.steps = steps
        self.activations = activations
        self.parameters = parameters
    }

    /// Tensors whose values have to be observed over samples.
    public var observedTensors: Set<String> {
        Set(activations.lazy.filter { $0.enabled && $0.needsSamples }.map(\.tensor))
    }
}
