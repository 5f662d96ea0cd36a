import COneDNN

/// Primitives that compute element by element, or of the elements along an axis.
extension Primitive {
    /// A function of each element.
    /// - Parameter layout: of source and target, which may be the same memory.
    package static func elementwise(
        _ function: Algorithm.Elementwise, alpha: Float, beta: Float, _ layout: MemoryDescriptor, engine: Engine
    ) throws -> Primitive {
        try elementwise(function.raw, dnnl_forward_inference, alpha, beta, layout, engine)
    }

    /// The gradient through a function of each element.
    /// - Parameters:
    ///   - fromOutput: whether it is computed from the function's output (`.target`) instead of its input (`.source`).
    ///   - layout: of the input or output and of both gradients, which may be the same memory.
    /// - Throws: `ExecutionError` `.library` where the function's output does not determine the gradient.
    package static func elementwiseGradient(
        of function: Algorithm.Elementwise, alpha: Float, beta: Float, fromOutput: Bool, _ layout: MemoryDescriptor,
        engine: Engine
    ) throws -> Primitive {
        let name = "gradient of element-wise function"
        guard let algorithm = fromOutput ? function.rawOfOutput : function.rawOfInput else {
            throw ExecutionError(.library, operation: name, found: "\(function) from its output")
        }
        let forward = try elementwise(algorithm, dnnl_forward_training, alpha, beta, layout, engine)
        var raw = layout.raw
        var operation = dnnl_eltwise_desc_t()
        try check(dnnl_eltwise_backward_desc_init(&operation, algorithm, &raw, &raw, alpha, beta), name)
        return try Primitive(&operation, named: name, forward: forward, engine: engine)
    }

    private static func elementwise(
        _ algorithm: dnnl_alg_kind_t, _ propagation: dnnl_prop_kind_t, _ alpha: Float, _ beta: Float,
        _ layout: MemoryDescriptor, _ engine: Engine
    ) throws -> Primitive {
        var raw = layout.raw
        var operation = dnnl_eltwise_desc_t()
        try check(
            dnnl_eltwise_forward_desc_init(&operation, propagation, algorithm, &raw, alpha, beta),
            "element-wise function")
        return try Primitive(&operation, named: "element-wise function", engine: engine)
    }

    /// `target = first (op) second`, `second` broadcast along axes of extent one, then `post`.
    package static func binary(
        _ algorithm: Algorithm.Binary, _ first: MemoryDescriptor, _ second: MemoryDescriptor,
        to target: MemoryDescriptor, post: [PostOperation], engine: Engine
    ) throws -> Primitive {
        var (a, b, y) = (first.raw, second.raw, target.raw)
        var operation = dnnl_binary_desc_t()
        try check(dnnl_binary_desc_init(&operation, algorithm.raw, &a, &b, &y), "binary operation")
        return try Primitive(&operation, named: "binary operation", post: post, engine: engine)
    }

    /// Reduces the axes along which `target` has one element and `source` more; at least one.
    package static func reduction(
        _ algorithm: Algorithm.Reduction, from source: MemoryDescriptor, to target: MemoryDescriptor, engine: Engine
    ) throws -> Primitive {
        var (from, to) = (source.raw, target.raw)
        let (kind, power) = algorithm.raw
        var operation = dnnl_reduction_desc_t()
        try check(dnnl_reduction_desc_init(&operation, kind, &from, &to, power, 0), "reduction")
        return try Primitive(&operation, named: "reduction", engine: engine)
    }
}
