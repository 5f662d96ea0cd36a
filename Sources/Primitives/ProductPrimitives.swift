import COneDNN
import Tensors

/// Primitives that sum products: convolutions and matrix products.
extension Primitive {
    /// The shapes of a convolution: source and target `[batch, channels, spatial...]`, weights `[groups,] [outputs, inputs,
    /// kernel...]`, of one group. Whether there is a bias for each output channel. The primitive chooses the layouts.
    package struct ConvolutionShapes {
        package let source, weights, target: Shape
        package let hasBias: Bool

        package init(source: Shape, weights: Shape, target: Shape, hasBias: Bool) {
            (self.source, self.weights, self.target, self.hasBias) = (source, weights, target, hasBias)
        }

        fileprivate func withRaw(
            _ body: (
                _ source: UnsafePointer<dnnl_memory_desc_t>, _ weights: UnsafePointer<dnnl_memory_desc_t>,
                _ bias: UnsafePointer<dnnl_memory_desc_t>?, _ target: UnsafePointer<dnnl_memory_desc_t>
            ) throws -> Void
        ) throws {
            var from = try MemoryDescriptor(any: source).raw
            var by = try MemoryDescriptor(any: weights).raw
            var to = try MemoryDescriptor(any: target).raw
            var bias = try MemoryDescriptor(plain: [target[1]]).raw
            try withUnsafePointer(to: &bias) { try body(&from, &by, hasBias ? $0 : nil, &to) }
        }
    }

    package static func convolution(
        _ shapes: ConvolutionShapes, window: WindowGeometry, propagation: Propagation, post: [PostOperation],
        engine: Engine
    ) throws -> Primitive {
        var operation = dnnl_convolution_desc_t()
        try shapes.withRaw { source, weights, bias, target in
            try check(
                dnnl_dilated_convolution_forward_desc_init(
                    &operation, propagation.raw, dnnl_convolution_direct, source, weights, bias, target,
                    window.rawStrides, window.rawDilations, window.rawBegin, window.rawEnd), "convolution")
        }
        return try Primitive(&operation, named: "convolution", post: post, engine: engine)
    }

    /// The gradient of a convolution with respect to its source.
    package static func convolutionSourceGradient(
        _ shapes: ConvolutionShapes, forward: Primitive, engine: Engine
    ) throws -> Primitive {
        let (name, window) = ("input gradient of convolution", try forward.convolutionWindow())
        var operation = dnnl_convolution_desc_t()
        try shapes.withRaw { source, weights, _, target in
            try check(
                dnnl_dilated_convolution_backward_data_desc_init(
                    &operation, dnnl_convolution_direct, source, weights, target, window.rawStrides,
                    window.rawDilations, window.rawBegin, window.rawEnd), name)
        }
        return try Primitive(&operation, named: name, forward: forward, engine: engine)
    }

    /// The gradient of a convolution with respect to its weights, and to its bias where the shapes have one.
    package static func convolutionWeightsGradient(
        _ shapes: ConvolutionShapes, forward: Primitive, engine: Engine
    ) throws -> Primitive {
        let (name, window) = ("weight gradient of convolution", try forward.convolutionWindow())
        var operation = dnnl_convolution_desc_t()
        try shapes.withRaw { source, weights, bias, target in
            try check(
                dnnl_dilated_convolution_backward_weights_desc_init(
                    &operation, dnnl_convolution_direct, source, weights, bias, target, window.rawStrides,
                    window.rawDilations, window.rawBegin, window.rawEnd), name)
        }
        return try Primitive(&operation, named: name, forward: forward, engine: engine)
    }

    /// The window as this primitive, a convolution, got it.
    private func convolutionWindow() throws -> WindowGeometry {
        let operation = try operation(dnnl_query_convolution_d, as: dnnl_convolution_desc_t.self)
        let axes = Int(operation.src_desc.ndims) - 2
        return WindowGeometry(
            kernel: [], strides: operation.strides, dilations: operation.dilates, begin: operation.padding.0,
            end: operation.padding.1, axes: axes)
    }

    /// `target = left right`, over the matrices of the last two axes; extents one of the others are broadcast.
    package static func matrixProduct(
        _ left: MemoryDescriptor, _ right: MemoryDescriptor, to target: MemoryDescriptor, post: [PostOperation],
        engine: Engine
    ) throws -> Primitive {
        var (a, b, y) = (left.raw, right.raw, target.raw)
        var operation = dnnl_matmul_desc_t()
        try check(dnnl_matmul_desc_init(&operation, &a, &b, nil, &y), "matrix product")
        return try Primitive(&operation, named: "matrix product", post: post, engine: engine)
    }

    /// A fully connected layer in layouts that the primitive chooses.
    /// - Parameters:
    ///   - source: [batch, inputs]
    ///   - weights: [outputs, inputs]
    ///   - target: [batch, outputs]
    package static func innerProduct(
        source: Shape, weights: Shape, target: Shape, hasBias: Bool, post: [PostOperation], engine: Engine
    ) throws -> Primitive {
        var from = try MemoryDescriptor(any: source).raw
        var by = try MemoryDescriptor(any: weights).raw
        var to = try MemoryDescriptor(any: target).raw
        var biases = try MemoryDescriptor(plain: [weights[0]]).raw
        var operation = dnnl_inner_product_desc_t()
        try withUnsafePointer(to: &biases) { biases in
            try check(
                dnnl_inner_product_forward_desc_init(
                    &operation, dnnl_forward_inference, &from, &by, hasBias ? biases : nil, &to), "inner product")
        }
        return try Primitive(&operation, named: "inner product", post: post, engine: engine)
    }
}
