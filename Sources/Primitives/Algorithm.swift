import COneDNN

/// What primitives compute of their elements, so that oneDNN's constants stay in this folder.
package enum Algorithm {
    /// A function of one element, with oneDNN's meaning of its parameters alpha and beta.
    package enum Elementwise: Sendable {
        case relu, elu, logistic, tanh, exp, log, sqrt, abs, square
        /// `alpha x + beta`
        case linear
        /// alpha is the minimum, beta the maximum.
        case clip
        case hardSwish, softRelu, geluTanh, geluErf
    }

    /// A function of two elements.
    package enum Binary {
        case add, subtract, multiply, divide, max, min
    }

    /// What is left of the elements along an axis.
    package enum Reduction {
        case mean, sum, max, min, product
        /// Of magnitudes.
        case absoluteSum
        /// The root of the sum of squares.
        case euclideanNorm
        case sumOfSquares
    }

    /// What a window gives.
    package enum Pooling {
        case max
        /// Divided by the whole kernel.
        case averageIncludingPadding
        /// Divided by the elements of the input that the window covers.
        case averageExcludingPadding
    }
}

/// Whether a backward pass will follow.
package enum Propagation {
    case inference, training

    package var raw: dnnl_prop_kind_t { self == .inference ? dnnl_forward_inference : dnnl_forward_training }
}

extension Algorithm.Elementwise {
    package var raw: dnnl_alg_kind_t {
        switch self {
        case .relu: dnnl_eltwise_relu
        case .elu: dnnl_eltwise_elu
        case .logistic: dnnl_eltwise_logistic
        case .tanh: dnnl_eltwise_tanh
        case .exp: dnnl_eltwise_exp
        case .log: dnnl_eltwise_log
        case .sqrt: dnnl_eltwise_sqrt
        case .abs: dnnl_eltwise_abs
        case .square: dnnl_eltwise_square
        case .linear: dnnl_eltwise_linear
        case .clip: dnnl_eltwise_clip
        case .hardSwish: dnnl_eltwise_hardswish
        case .softRelu: dnnl_eltwise_soft_relu
        case .geluTanh: dnnl_eltwise_gelu_tanh
        case .geluErf: dnnl_eltwise_gelu_erf
        }
    }

    /// The algorithm whose gradient is computed from the function's input. An element at a bound of clip passes none.
    package var rawOfInput: dnnl_alg_kind_t { self == .clip ? dnnl_eltwise_clip_v2 : raw }

    /// The algorithm whose gradient is computed from the function's output; nil where oneDNN has none.
    package var rawOfOutput: dnnl_alg_kind_t? {
        switch self {
        case .relu: dnnl_eltwise_relu_use_dst_for_bwd
        case .elu: dnnl_eltwise_elu_use_dst_for_bwd
        case .logistic: dnnl_eltwise_logistic_use_dst_for_bwd
        case .tanh: dnnl_eltwise_tanh_use_dst_for_bwd
        case .exp: dnnl_eltwise_exp_use_dst_for_bwd
        case .sqrt: dnnl_eltwise_sqrt_use_dst_for_bwd
        case .clip: dnnl_eltwise_clip_v2_use_dst_for_bwd
        default: nil
        }
    }
}

extension Algorithm.Binary {
    package var raw: dnnl_alg_kind_t {
        switch self {
        case .add: dnnl_binary_add
        case .subtract: dnnl_binary_sub
        case .multiply: dnnl_binary_mul
        case .divide: dnnl_binary_div
        case .max: dnnl_binary_max
        case .min: dnnl_binary_min
        }
    }
}

extension Algorithm.Reduction {
    /// With the power that norms take.
    package var raw: (kind: dnnl_alg_kind_t, power: Float) {
        switch self {
        case .mean: (dnnl_reduction_mean, 0)
        case .sum: (dnnl_reduction_sum, 0)
        case .max: (dnnl_reduction_max, 0)
        case .min: (dnnl_reduction_min, 0)
        case .product: (dnnl_reduction_mul, 0)
        case .absoluteSum: (dnnl_reduction_norm_lp_sum, 1)
        case .euclideanNorm: (dnnl_reduction_norm_lp_sum, 2)
        case .sumOfSquares: (dnnl_reduction_norm_lp_power_p_sum, 2)
        }
    }
}

extension Algorithm.Pooling {
    package var raw: dnnl_alg_kind_t {
        switch self {
        case .max: dnnl_pooling_max
        case .averageIncludingPadding: dnnl_pooling_avg_include_padding
        case .averageExcludingPadding: dnnl_pooling_avg_exclude_padding
        }
    }
}
