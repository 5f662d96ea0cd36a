import COneDNN
import Tensors

/// Primitives that scale elements by statistics of their neighbours.
extension Primitive {
    /// `scale * (x - mean) / sqrt(variance + epsilon) + shift` per channel of `[batch, channels, spatial...]`.
    /// - Parameter batchStatistics: whether mean and variance are computed from the source, instead of given.
    package static func batchNormalization(
        _ layout: MemoryDescriptor, epsilon: Float, batchStatistics: Bool, propagation: Propagation, engine: Engine
    ) throws -> Primitive {
        var raw = layout.raw
        var operation = dnnl_batch_normalization_desc_t()
        try check(
            dnnl_batch_normalization_forward_desc_init(
                &operation, propagation.raw, &raw, epsilon, batchNormalizationFlags(batchStatistics)),
            "batch normalization")
        return try Primitive(&operation, named: "batch normalization", engine: engine)
    }

    /// The gradients with respect to source, scale and shift; oneDNN has none of the source alone with both of the others.
    package static func batchNormalizationGradient(
        _ layout: MemoryDescriptor, epsilon: Float, batchStatistics: Bool, forward: Primitive, engine: Engine
    ) throws -> Primitive {
        let name = "gradient of batch normalization"
        var raw = layout.raw
        var operation = dnnl_batch_normalization_desc_t()
        try check(
            dnnl_batch_normalization_backward_desc_init(
                &operation, dnnl_backward, &raw, &raw, epsilon, batchNormalizationFlags(batchStatistics)), name)
        return try Primitive(&operation, named: name, forward: forward, engine: engine)
    }

    private static func batchNormalizationFlags(_ batchStatistics: Bool) -> UInt32 {
        dnnl_use_scale.rawValue | dnnl_use_shift.rawValue | (batchStatistics ? 0 : dnnl_use_global_stats.rawValue)
    }

    /// Each row of `[rows, elements]` normalized by its own mean and variance, then scaled and, where there is a shift,
    /// shifted element by element.
    /// - Parameter statistics: [rows], of mean and variance, which the training pass writes.
    package static func layerNormalization(
        _ rows: MemoryDescriptor, statistics: MemoryDescriptor, epsilon: Float, hasShift: Bool,
        propagation: Propagation,
        engine: Engine
    ) throws -> Primitive {
        var (raw, rawStatistics) = (rows.raw, statistics.raw)
        var operation = dnnl_layer_normalization_desc_t()
        try check(
            dnnl_layer_normalization_forward_desc_init(
                &operation, propagation.raw, &raw, &rawStatistics, epsilon, layerNormalizationFlags(hasShift)),
            "layer normalization")
        return try Primitive(&operation, named: "layer normalization", engine: engine)
    }

    /// The gradients with respect to source, scale and, where there is one, shift.
    package static func layerNormalizationGradient(
        _ rows: MemoryDescriptor, statistics: MemoryDescriptor, epsilon: Float, hasShift: Bool, forward: Primitive,
        engine: Engine
    ) throws -> Primitive {
        let name = "gradient of layer normalization"
        var (raw, rawStatistics) = (rows.raw, statistics.raw)
        var operation = dnnl_layer_normalization_desc_t()
        try check(
            dnnl_layer_normalization_backward_desc_init(
                &operation, dnnl_backward, &raw, &raw, &rawStatistics, epsilon, layerNormalizationFlags(hasShift)),
            name)
        return try Primitive(&operation, named: name, forward: forward, engine: engine)
    }

    private static func layerNormalizationFlags(_ hasShift: Bool) -> UInt32 {
        dnnl_use_scale.rawValue | (hasShift ? dnnl_use_shift.rawValue : 0)
    }

    /// The parameters of a local response normalization: `x / (bias + alpha / size * (squares of the size nearest
    /// channels))^beta`.
    package struct ResponseParameters {
        let size: Int
        let alpha, beta, bias: Float

        package init(size: Int, alpha: Float, beta: Float, bias: Float) {
            (self.size, self.alpha, self.beta, self.bias) = (size, alpha, beta, bias)
        }
    }

    /// The training pass has a workspace.
    package static func localResponseNormalization(
        _ layout: MemoryDescriptor, _ parameters: ResponseParameters, propagation: Propagation, engine: Engine
    ) throws -> Primitive {
        let name = "local response normalization"
        var raw = layout.raw
        var operation = dnnl_lrn_desc_t()
        try check(
            dnnl_lrn_forward_desc_init(
                &operation, propagation.raw, dnnl_lrn_across_channels, &raw, dnnl_dim_t(parameters.size),
                parameters.alpha, parameters.beta, parameters.bias), name)
        return try Primitive(&operation, named: name, engine: engine)
    }

    package static func localResponseNormalizationGradient(
        _ layout: MemoryDescriptor, _ parameters: ResponseParameters, forward: Primitive, engine: Engine
    ) throws -> Primitive {
        let name = "gradient of local response normalization"
        var raw = layout.raw
        var operation = dnnl_lrn_desc_t()
        try check(
            dnnl_lrn_backward_desc_init(
                &operation, dnnl_lrn_across_channels, &raw, &raw, dnnl_dim_t(parameters.size), parameters.alpha,
                parameters.beta, parameters.bias), name)
        return try Primitive(&operation, named: name, forward: forward, engine: engine)
    }

    /// The softmax along an axis, or its logarithm.
    package static func softmax(
        _ layout: MemoryDescriptor, axis: Int, logarithmic: Bool, propagation: Propagation, engine: Engine
    ) throws -> Primitive {
        var (from, to) = (layout.raw, layout.raw)
        var operation = dnnl_softmax_v2_desc_t()
        try check(
            dnnl_softmax_v2_forward_desc_init(
                &operation, propagation.raw, logarithmic ? dnnl_softmax_log : dnnl_softmax_accurate, &from, &to,
                Int32(axis)), "softmax")
        return try Primitive(&operation, named: "softmax", engine: engine)
    }

    /// The gradient of a softmax, computed from its target.
    package static func softmaxGradient(_ layout: MemoryDescriptor, forward: Primitive, engine: Engine) throws
        -> Primitive
    {
        let made = try forward.operation(dnnl_query_softmax_v2_d, as: dnnl_softmax_v2_desc_t.self)
        var raw = layout.raw
        var operation = dnnl_softmax_v2_desc_t()
        try check(
            dnnl_softmax_v2_backward_desc_init(&operation, made.alg_kind, &raw, &raw, &raw, made.softmax_axis),
            "gradient of softmax")
        return try Primitive(&operation, named: "gradient of softmax", forward: forward, engine: engine)
    }
}
