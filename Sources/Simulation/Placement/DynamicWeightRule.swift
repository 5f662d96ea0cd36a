import Graph

/// A weight that is computed rather than constant is as symmetric as a constant one would be: the target's kernels ask
/// it of the operand, wherever it comes from. The section `params` has no say in it, as in the reference.
enum DynamicWeightRule {
    private static let opTypes: Set = ["Conv", "ConvTranspose", "Gemm", "MatMul"]

    static func apply(to state: inout PlacementState) {
        for node in state.graph.graph.nodes where opTypes.contains(node.opType) && node.inputs.count > 1 {
            let weight = node.inputs[1]
            guard !state.graph.parameterNames.contains(weight), let source = state.effectiveQuantizer(of: weight) else {
                continue
            }
            let symmetric =
                state.config.opTypes[node.opType]?.parameters["weight"]?.isSymmetric
                ?? state.config.defaults.parameters.isSymmetric ?? false
            guard source.quantizer.settings.symmetric != symmetric else { continue }
            state.set(.symmetric(symmetric), of: source.quantizer.tensor, by: BuiltInRule.dynamicWeight, at: node)
        }
    }
}
