import COneDNN
import Tensors

/// How a window moves over spatial axes: one number per axis, in elements.
package struct WindowGeometry {
    package let kernel, strides: [Int]
    /// 1 where neighbours in the window are neighbours in the source.
    package let dilations: [Int]
    /// Padding before the first and behind the last element.
    package let begin, end: [Int]

    package init(kernel: [Int], strides: [Int], dilations: [Int], begin: [Int], end: [Int]) {
        (self.kernel, self.strides, self.dilations) = (kernel, strides, dilations)
        (self.begin, self.end) = (begin, end)
    }

    package var rawKernel: [Int64] { kernel.map(Int64.init) }
    package var rawStrides: [Int64] { strides.map(Int64.init) }
    /// oneDNN counts the elements between neighbours.
    package var rawDilations: [Int64] { dilations.map { Int64($0 - 1) } }
    package var rawBegin: [Int64] { begin.map(Int64.init) }
    package var rawEnd: [Int64] { end.map(Int64.init) }
}

extension WindowGeometry {
    /// From the C arrays of oneDNN's descriptors, which Swift sees as tuples.
    package init<Numbers>(
        kernel: [Int], strides: Numbers, dilations: Numbers, begin: Numbers, end: Numbers, axes: Int
    ) {
        self.init(
            kernel: kernel, strides: Self.numbers(strides, axes),
            dilations: Self.numbers(dilations, axes).map { $0 + 1 },
            begin: Self.numbers(begin, axes), end: Self.numbers(end, axes))
    }

    /// The first `count` numbers of a C array.
    package static func numbers<Numbers>(_ numbers: Numbers, _ count: Int) -> [Int] {
        withUnsafeBytes(of: numbers) { $0.bindMemory(to: Int64.self).prefix(count).map(Int.init) }
    }
}

extension Primitive {
    /// A pooling; maxima of the training pass have a workspace.
    /// - Parameters:
    ///   - target: `[batch, channels, spatial...]`, in a layout that the primitive chooses. oneDNN wants its extents to be
    ///     (source + padding - window) / stride + 1 exactly.
    package static func pooling(
        _ algorithm: Algorithm.Pooling, from source: MemoryDescriptor, to target: Shape, window: WindowGeometry,
        propagation: Propagation, named name: String = "pooling", engine: Engine
    ) throws -> Primitive {
        var from = source.raw
        var to = try MemoryDescriptor(any: target).raw
        var operation = dnnl_pooling_v2_desc_t()
        try check(
            dnnl_pooling_v2_forward_desc_init(
                &operation, propagation.raw, algorithm.raw, &from, &to, window.rawStrides, window.rawKernel,
                window.rawDilations, window.rawBegin, window.rawEnd), name)
        return try Primitive(&operation, named: name, engine: engine)
    }

    /// The mean over the spatial axes of `[batch, channels, spatial...]`, extents one kept.
    package static func spatialMean(of source: MemoryDescriptor, engine: Engine) throws -> Primitive {
        let extents = Array(source.shape.dimensions.dropFirst(2))
        let (ones, zeros) = (extents.map { _ in 1 }, extents.map { _ in 0 })
        return try pooling(
            .averageExcludingPadding, from: source, to: Shape(source.shape.dimensions.prefix(2) + ones),
            window: WindowGeometry(kernel: extents, strides: ones, dilations: ones, begin: zeros, end: zeros),
            propagation: .training, named: "mean over spatial axes", engine: engine)
    }

    /// The gradient of a pooling.
    /// - Parameters:
    ///   - source: the layout of its source and of the source's gradient.
    ///   - target: of the target's gradient.
    package static func poolingGradient(
        source: MemoryDescriptor, target: MemoryDescriptor, forward: Primitive, engine: Engine
    ) throws -> Primitive {
        let pooling = try forward.operation(dnnl_query_pooling_v2_d, as: dnnl_pooling_v2_desc_t.self)
        let axes = source.shape.rank - 2
        let window = WindowGeometry(
            kernel: WindowGeometry.numbers(pooling.kernel, axes), strides: pooling.strides,
            dilations: pooling.dilation, begin: pooling.padding.0, end: pooling.padding.1, axes: axes)
        var (from, to) = (source.raw, target.raw)
        var operation = dnnl_pooling_v2_desc_t()
        try check(
            dnnl_pooling_v2_backward_desc_init(
                &operation, pooling.alg_kind, &from, &to, window.rawStrides, window.rawKernel, window.rawDilations,
                window.rawBegin, window.rawEnd), "gradient of pooling")
        return try Primitive(&operation, named: "gradient of pooling", forward: forward, engine: engine)
    }
}
