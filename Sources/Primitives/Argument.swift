import COneDNN

/// The part that a memory plays for a primitive.
package enum Argument: Hashable {
    case source
    /// The second operand of a binary operation.
    case secondSource
    /// One of several sources, counted from zero.
    case part(Int)
    case weights, bias, target
    case mean, variance, scale, shift
    /// What the forward pass leaves for the backward pass.
    case workspace
    case sourceGradient, weightsGradient, biasGradient, targetGradient, scaleGradient, shiftGradient
    /// Memory that the primitive needs while it runs.
    case scratchpad

    package var raw: Int32 {
        switch self {
        case .source: DNNL_ARG_SRC
        case .secondSource: DNNL_ARG_SRC_1
        case .part(let index): DNNL_ARG_MULTIPLE_SRC + Int32(index)
        case .weights: DNNL_ARG_WEIGHTS
        case .bias: DNNL_ARG_BIAS
        case .target: DNNL_ARG_DST
        case .mean: DNNL_ARG_MEAN
        case .variance: DNNL_ARG_VARIANCE
        case .scale: DNNL_ARG_SCALE
        case .shift: DNNL_ARG_SHIFT
        case .workspace: DNNL_ARG_WORKSPACE
        case .sourceGradient: DNNL_ARG_DIFF_SRC
        case .weightsGradient: DNNL_ARG_DIFF_WEIGHTS
        case .biasGradient: DNNL_ARG_DIFF_BIAS
        case .targetGradient: DNNL_ARG_DIFF_DST
        case .scaleGradient: DNNL_ARG_DIFF_SCALE
        case .shiftGradient: DNNL_ARG_DIFF_SHIFT
        case .scratchpad: DNNL_ARG_SCRATCHPAD
        }
    }

    /// What asks a primitive for the layout of this memory; nil where the caller chooses it.
    package var query: dnnl_query_t? {
        switch self {
        case .source: dnnl_query_src_md
        case .weights: dnnl_query_weights_md
        case .target: dnnl_query_dst_md
        case .workspace: dnnl_query_workspace_md
        case .sourceGradient: dnnl_query_diff_src_md
        case .weightsGradient: dnnl_query_diff_weights_md
        case .targetGradient: dnnl_query_diff_dst_md
        case .scratchpad: dnnl_query_scratchpad_md
        case .secondSource, .part, .bias, .mean, .variance, .scale, .shift, .biasGradient, .scaleGradient,
            .shiftGradient:
            nil
        }
    }
}
