import Graph
import Nodes
import Operators
import Quantization

/// Tensors on both sides of some ops share one quantizer, because the target has one grid for both. `group` names the
/// tensor whose quantizer is shared.
enum TyingRules {
    static func apply(to state: inout PlacementState) throws(SimulationError) {
        shareOutputWithInputs(&state)
        try shareInputWithOutput(&state)
    }

    /// Concat and the like: inputs take the quantizer of the output, on or off, through ops that preserve grids, where nothing else
    /// takes them. Inputs with constraints of their own keep their quantizer, unless all have the same.
    private static func shareOutputWithInputs(_ state: inout PlacementState) {
        var visited: Set<Int> = []
        for index in state.graph.graph.nodes.indices.reversed() {
            let node = state.graph.graph.nodes[index]
            guard OperatorTraits.tiedToOutput.contains(node.opType), let output = node.outputs.first,
                let group = state.activations[output]?.group, let shared = state.activations[group]
            else { continue }
            var sources: [String] = []
            var ranges: Set<EncodingConstraints?> = []
            var stack = [index]
            while let next = stack.popLast() {
                guard visited.insert(next).inserted else { continue }
                for input in state.graph.graph.nodes[next].inputs where state.graph.holdsFloats(input) {
                    let effective = state.effectiveQuantizer(of: input)
                    if let effective { ranges.insert(effective.quantizer.constraints) }
                    guard consumers(of: input, effective, in: state).count <= 1 else { continue }
                    if let effective { sources.append(effective.quantizer.tensor) }
                    guard let producer = state.graph.uses.producers[input] else { continue }
                    let opType = state.graph.graph.nodes[producer].opType
                    if OperatorTraits.tiedToOutput.contains(opType) || OperatorTraits.gridPreserving.contains(opType) {
                        stack.append(producer)
                    }
                }
            }
            if ranges.count == 1, let range = ranges.first {
                if shared.constraints != range {
                    state.set(.constraints(range), of: shared.tensor, by: BuiltInRule.tiedToOutput, at: node)
                }
            } else {
                sources.removeAll { state.activations[$0]?.constraints != nil }
            }
            for source in sources where source != shared.tensor {
                state.share(shared.tensor, with: source, by: BuiltInRule.tiedToOutput, at: node)
                if !shared.enabled { state.set(.enabled(false), of: source, by: BuiltInRule.tiedToOutput, at: node) }
            }
        }
    }

    /// Nodes that take a tensor, or another tensor on the way up to its quantizer.
    private static func consumers(
        of tensor: String, _ effective: (quantizer: PlacedQuantizer, path: [Int])?, in state: PlacementState
    ) -> Set<Int> {
        guard let effective else { return Set(state.graph.uses.consumers[tensor] ?? []) }
        let path = Set(effective.path)
        var all = Set(state.graph.uses.consumers[effective.quantizer.tensor] ?? [])
        for node in path { all.formUnion(state.graph.followers(of: node)) }
        return all.subtracting(path)
    }

    /// Relu and the like: the output takes the quantizer of the input. A constrained output keeps its own where the
    /// input is also taken by others, whose range it would cut.
    private static func shareInputWithOutput(_ state: inout PlacementState) throws(SimulationError) {
        for (index, node) in state.graph.graph.nodes.enumerated()
        where OperatorTraits.tiedToInput.contains(node.opType) {
            guard let input = node.inputs.first, let source = state.effectiveQuantizer(of: input) else { continue }
            for output in state.graph.outputActivations(of: index) {
                guard let own = state.enabledQuantizer(of: output), own.tensor != source.quantizer.tensor else {
                    continue
                }
                if own.constraints != nil, own.constraints != source.quantizer.constraints,
                    isTakenByOthers(input, source, in: state)
                {
                    continue
                }
                try mergeConstraints(of: own, into: source.quantizer, at: node, in: &state)
                state.share(source.quantizer.tensor, with: output, by: BuiltInRule.tiedToInput, at: node)
            }
        }
    }

    private static func isTakenByOthers(
        _ tensor: String, _ source: (quantizer: PlacedQuantizer, path: [Int]), in state: PlacementState
    ) -> Bool {
        let between = source.path.flatMap { state.graph.graph.nodes[$0].outputs }
        return (between + [tensor, source.quantizer.tensor]).contains {
            (state.graph.uses.consumers[$0] ?? []).count > 1
        }
    }

    private static func mergeConstraints(
        of own: PlacedQuantizer, into shared: PlacedQuantizer, at node: Node, in state: inout PlacementState
    ) throws(SimulationError) {
        func set(_ change: PlacementStep.Change) {
            state.set(change, of: shared.tensor, by: BuiltInRule.tiedToInput, at: node)
        }
        if own.settings.bitwidth < shared.settings.bitwidth { set(.bitwidth(own.settings.bitwidth)) }
        if own.settings.symmetric && !shared.settings.symmetric { set(.symmetric(true)) }
        if let constraints = own.constraints, let other = shared.constraints, other != constraints {
            throw SimulationError(
                .conflictingSettings, path: "op_type.\(node.opType).encoding_constraints", tensor: own.tensor,
                node: node.name, expected: "\(other)", found: "\(constraints)")
        }
        guard var constraints = own.constraints ?? shared.constraints else { return }
        if own.settings.symmetric || shared.settings.symmetric, let max = constraints.max {
            // As wide as the wider half.
            let bound = Swift.max(abs(constraints.min), abs(max))
            constraints = EncodingConstraints(min: -bound, max: bound)
        }
        if constraints != shared.constraints { set(.constraints(constraints)) }
    }
}
