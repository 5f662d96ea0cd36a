import Graph
import Quantization

/// Tensors on both sides of some ops share one quantizer, because the target has one grid for both. `group` names the
/// tensor whose quantizer is shared.
enum TyingRules {
    static func apply(to state: inout PlacementState) throws(SimulationError) {
        shareOutputWithInputs(&state)
        try shareInputWithOutput(&state)
    }

    /// The shared quantizer of a tensor, if enabled.
    private static func quantizer(of tensor: String, in state: PlacementState) -> Quantizer? {
        guard let own = state.activations[tensor], own.enabled else { return nil }
        return state.activations[own.group]
    }

    /// The quantizer whose grid a tensor is on, and the nodes between them, which preserve grids.
    private static func effectiveQuantizer(
        of tensor: String, in state: PlacementState
    ) -> (quantizer: Quantizer, path: [Int])? {
        var name = tensor
        var path: [Int] = []
        while true {
            if let found = quantizer(of: name, in: state) { return (found, path) }
            guard let producer = state.graph.producers[name] else { return nil }
            let node = state.graph.graph.nodes[producer]
            guard OperatorTraits.gridPreserving.contains(node.opType), let input = node.inputs.first else { return nil }
            path.append(producer)
            name = input
        }
    }

    /// Concat and the like: inputs take the quantizer of the output, through ops that preserve grids, where nothing else
    /// takes them. Inputs with constraints of their own keep their quantizer, unless all have the same.
    private static func shareOutputWithInputs(_ state: inout PlacementState) {
        var visited: Set<Int> = []
        for index in state.graph.graph.nodes.indices.reversed() {
            let node = state.graph.graph.nodes[index]
            guard OperatorTraits.tiedToOutput.contains(node.opType), let output = node.outputs.first,
                let shared = quantizer(of: output, in: state)
            else { continue }
            var sources: [String] = []
            var ranges: Set<EncodingConstraints?> = []
            var stack = [index]
            while let next = stack.popLast() {
                guard visited.insert(next).inserted else { continue }
                for input in state.graph.graph.nodes[next].inputs where state.graph.holdsFloats(input) {
                    let effective = effectiveQuantizer(of: input, in: state)
                    if let effective { ranges.insert(effective.quantizer.constraints) }
                    guard consumers(of: input, effective, in: state).count <= 1 else { continue }
                    if let effective { sources.append(effective.quantizer.tensor) }
                    guard let producer = state.graph.producers[input] else { continue }
                    let opType = state.graph.graph.nodes[producer].opType
                    if OperatorTraits.tiedToOutput.contains(opType) || OperatorTraits.gridPreserving.contains(opType) {
                        stack.append(producer)
                    }
                }
            }
            if ranges.count == 1, let range = ranges.first {
                state.activations[shared.tensor]?.constraints = range
            } else {
                sources.removeAll { state.activations[$0]?.constraints != nil }
            }
            for source in sources where source != shared.tensor { share(shared.tensor, with: source, in: &state) }
        }
    }

    /// Nodes that take a tensor, or another tensor on the way up to its quantizer.
    private static func consumers(
        of tensor: String, _ effective: (quantizer: Quantizer, path: [Int])?, in state: PlacementState
    ) -> Set<Int> {
        guard let effective else { return Set(state.graph.consumers[tensor] ?? []) }
        let path = Set(effective.path)
        var all = Set(state.graph.consumers[effective.quantizer.tensor] ?? [])
        for node in path { all.formUnion(state.graph.followers(of: node)) }
        return all.subtracting(path)
    }

    /// Relu and the like: the output takes the quantizer of the input. A constrained output keeps its own where the
    /// input is also taken by others, whose range it would cut.
    private static func shareInputWithOutput(_ state: inout PlacementState) throws(SimulationError) {
        for (index, node) in state.graph.graph.nodes.enumerated()
        where OperatorTraits.tiedToInput.contains(node.opType) {
            guard let input = node.inputs.first, let source = effectiveQuantizer(of: input, in: state) else { continue }
            for output in state.graph.outputActivations(of: index) {
                guard let own = quantizer(of: output, in: state), own.tensor != source.quantizer.tensor else {
                    continue
                }
                if own.constraints != nil, own.constraints != source.quantizer.constraints,
                    isTakenByOthers(input, source, in: state)
                {
                    continue
                }
                try mergeConstraints(of: own, into: source.quantizer, at: node, in: &state)
                share(source.quantizer.tensor, with: output, in: &state)
            }
        }
    }

    private static func isTakenByOthers(
        _ tensor: String, _ source: (quantizer: Quantizer, path: [Int]), in state: PlacementState
    ) -> Bool {
        let between = source.path.flatMap { state.graph.graph.nodes[$0].outputs }
        return (between + [tensor, source.quantizer.tensor]).contains { (state.graph.consumers[$0] ?? []).count > 1 }
    }

    private static func mergeConstraints(
        of own: Quantizer, into shared: Quantizer, at node: Node, in state: inout PlacementState
    ) throws(SimulationError) {
        var merged = shared
        merged.settings.bitwidth = min(shared.settings.bitwidth, own.settings.bitwidth)
        merged.settings.symmetric = shared.settings.symmetric || own.settings.symmetric
        if let constraints = own.constraints {
            if let other = shared.constraints, other != constraints {
                throw SimulationError(
                    .conflictingSettings, path: "op_type.\(node.opType).encoding_constraints", tensor: own.tensor,
                    node: node.name, expected: "\(other)", found: "\(constraints)")
            }
            merged.constraints = constraints
        }
        state.activations[shared.tensor] = merged
    }

    /// Gives `tensor` the quantizer of `owner`. Others that share the tensor's own quantizer keep it.
    private static func share(_ owner: String, with tensor: String, in state: inout PlacementState) {
        let heirs = state.activations.values.filter { $0.group == tensor && $0.tensor != tensor }
            .map(\.tensor).sorted()
        if let heir = heirs.first, let own = state.activations[tensor] {
            for other in heirs { state.activations[other]?.group = heir }
            state.activations[heir]?.settings = own.settings
            state.activations[heir]?.constraints = own.constraints
        }
        state.activations[tensor]?.group = owner
    }
}
