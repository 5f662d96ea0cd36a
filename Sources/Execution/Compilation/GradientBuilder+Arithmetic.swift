import COneDNN
import Graph
import Tensors

/// What gradients of several operators are made of.
extension GradientBuilder {
    /// The gradient in `layout`, copied into it if need be.
    func converted(_ gradient: Operand, to layout: MemoryDescriptor) throws -> Operand {
        guard gradient.layout != layout else { return gradient }
        let copy = plan.allocate(layout)
        try plan.reorder(gradient, to: copy)
        return copy
    }

    /// The gradient in row-major order.
    func plain(_ gradient: Operand) throws -> Operand {
        try converted(gradient, to: MemoryDescriptor(plain: gradient.layout.shape))
    }

    /// The row-major gradient under another shape of as many elements.
    func reshaped(_ gradient: Operand, _ shape: Shape) throws -> Operand {
        Operand(buffer: try plain(gradient).buffer, layout: try MemoryDescriptor(plain: shape))
    }

    /// Memory that is all zeros until something is added.
    func zeros(_ layout: MemoryDescriptor) -> Operand {
        let operand = plan.allocate(layout)
        let count = layout.byteCount / MemoryLayout<Float>.stride
        plan.emit([operand]) { $0[0].update(repeating: 0, count: count) }
        return operand
    }

    /// `factor * gradient`, in new memory.
    func scaled(_ gradient: Operand, by factor: Float) throws -> Operand {
        guard factor != 1 else { return gradient }
        let target = plan.allocate(gradient.layout)
        try plan.emitEltwise(dnnl_eltwise_linear, alpha: factor, beta: 0, from: gradient, to: target)
        return target
    }

    /// `gradient (op) value` element by element, the value broadcast onto the gradient's shape, in new memory.
    func combined(_ algorithm: dnnl_alg_kind_t, _ gradient: Operand, _ value: String) throws -> Operand {
        let target = plan.allocate(gradient.layout)
        let operand = try plan.broadcastOperand(value, onto: gradient.layout)
        try plan.emitBinary(algorithm, gradient, operand, to: target, post: [])
        return target
    }

    // MARK: Broadcasting

    /// The gradient summed over the axes along which a value of `shape` was broadcast onto it.
    func reduced(_ gradient: Operand, to shape: Shape) throws -> Operand {
        let full = gradient.layout.shape
        let target = try MemoryDescriptor(plain: shape)
        guard full != target.shape else { return gradient }
        guard full.count != shape.count else { return try reshaped(gradient, shape) }
        let aligned = Shape([Int](repeating: 1, count: full.rank - shape.rank) + shape.dimensions)
        if full.rank > 2, aligned == Shape(full.dimensions.prefix(2) + full.dimensions.dropFirst(2).map { _ in 1 }) {
            // In the layout at hand: sums over spatial axes are means times their count.
            let mean = try spatialMean(gradient)
            return try reshaped(scaled(mean, by: Float(full.count / shape.count)), shape)
        }
        let (source, sum) = (try plain(gradient), plan.allocate(target))
        let walk = BroadcastWalk(of: aligned, in: full)
        plan.emit([source, sum]) { pointers in
            pointers[1].update(repeating: 0, count: shape.count)
            walk.rows { full, small, count, stride in
                if stride == 0 {
                    var total: Float = 0
                    for index in 0..<count { total += pointers[0][full + index] }
                    pointers[1][small] += total
                } else {
                    for index in 0..<count { pointers[1][small + index] += pointers[0][full + index] }
                }
            }
        }
        return sum
    }

    /// The gradient, of a shape that broadcasts to `full`, times `factor` for each element of `full`.
    /// - Parameter layout: what is wanted of the result where that costs nothing.
    func spread(
        _ gradient: Operand, over full: Shape, times factor: Float = 1, preferring layout: MemoryDescriptor
    ) throws -> Operand {
        let small = gradient.layout.shape
        if small == full { return try scaled(gradient, by: factor) }
        let aligned = Shape([Int](repeating: 1, count: full.rank - small.rank) + small.dimensions)
        if full.rank > 2, aligned == Shape(full.dimensions.prefix(2) + full.dimensions.dropFirst(2).map { _ in 1 }) {
            let count = full.count / max(small.count, 1)
            return try spatialSpread(scaled(reshaped(gradient, aligned), by: factor * Float(count)), onto: layout)
        }
        let source = try plain(gradient)
        let target = plan.allocate(try MemoryDescriptor(plain: full))
        let walk = BroadcastWalk(of: aligned, in: full)
        plan.emit([source, target]) { pointers in
            walk.rows { full, small, count, stride in
                for index in 0..<count { pointers[1][full + index] = pointers[0][small + index * stride] * factor }
            }
        }
        return target
    }

    /// `function(gradient, first, second)` for each element in row-major order, the operands broadcast.
    func mapped(
        _ gradient: Operand, _ first: Operand, _ second: Operand, _ function: @escaping (Float, Float, Float) -> Float
    ) throws -> Operand {
        let full = gradient.layout.shape
        let target = plan.allocate(try MemoryDescriptor(plain: full))
        let indices = [first, second].map { operand -> [Int32]? in
            guard operand.layout.shape != full else { return nil }
            let indices = BroadcastIndices(of: operand.layout.shape, in: full)
            return (0..<full.count).map { Int32(indices[$0]) }
        }
        plan.emit([try plain(gradient), try plain(first), try plain(second), target]) { pointers in
            for index in 0..<full.count {
                let a = indices[0].map { Int($0[index]) } ?? index
                let b = indices[1].map { Int($0[index]) } ?? index
                pointers[3][index] = function(pointers[0][index], pointers[1][a], pointers[2][b])
            }
        }
        return target
    }

    // MARK: Spatial axes

    /// The mean over the spatial axes of `[batch, channels, spatial...]`, extents 1 kept.
    private func spatialMean(_ operand: Operand) throws -> Operand {
        let primitive = try spatialPooling(operand.layout)
        let target = plan.allocate(try primitive.layout(dnnl_query_dst_md))
        plan.emit(primitive, [(DNNL_ARG_SRC, operand), (DNNL_ARG_DST, target)])
        return target
    }

    /// The gradient of `spatialMean` in `layout`: each element's share of the mean's gradient.
    private func spatialSpread(_ gradient: Operand, onto layout: MemoryDescriptor) throws -> Operand {
        let forward = try spatialPooling(layout)
        let source = try converted(gradient, to: forward.layout(dnnl_query_dst_md))
        return try pooled(source, forward: forward, workspace: nil, onto: layout)
    }

    private func spatialPooling(_ layout: MemoryDescriptor) throws -> Primitive {
        let extents = layout.shape.dimensions.dropFirst(2).map(Int64.init)
        var source = layout.raw
        var target = try MemoryDescriptor(any: Shape(layout.shape.dimensions.prefix(2) + extents.map { _ in 1 })).raw
        var operation = dnnl_pooling_v2_desc_t()
        let (ones, zeros) = (extents.map { _ in Int64(1) }, extents.map { _ in Int64(0) })
        try check(
            dnnl_pooling_v2_forward_desc_init(
                &operation, dnnl_forward_training, dnnl_pooling_avg_exclude_padding, &source, &target, ones, extents,
                zeros, zeros, zeros), "mean over spatial axes")
        return try Primitive(&operation, named: "mean over spatial axes", engine: plan.engine)
    }

    /// The gradient of a pooling.
    /// - Parameters:
    ///   - gradient: in the layout of the pooling's output.
    ///   - workspace: of a maximum.
    ///   - layout: of the pooling's input.
    func pooled(
        _ gradient: Operand, forward: Primitive, workspace: Operand?, onto layout: MemoryDescriptor
    ) throws -> Operand {
        let pooling = try forward.operation(dnnl_query_pooling_v2_d, as: dnnl_pooling_v2_desc_t.self)
        var (source, target) = (layout.raw, gradient.layout.raw)
        let rank = layout.shape.rank - 2
        var operation = dnnl_pooling_v2_desc_t()
        try check(
            dnnl_pooling_v2_backward_desc_init(
                &operation, pooling.alg_kind, &source, &target, spatial(pooling.strides, rank),
                spatial(pooling.kernel, rank), spatial(pooling.dilation, rank), spatial(pooling.padding.0, rank),
                spatial(pooling.padding.1, rank)), "gradient of pooling")
        let primitive = try Primitive(
            &operation, named: "gradient of pooling", forward: forward, engine: plan.engine)
        let result = plan.allocate(layout)
        var arguments: [(argument: Int32, operand: Operand)] = [
            (DNNL_ARG_DIFF_DST, gradient), (DNNL_ARG_DIFF_SRC, result),
        ]
        if let workspace { arguments.append((DNNL_ARG_WORKSPACE, workspace)) }
        plan.emit(primitive, arguments)
        return result
    }
}

/// The first `count` numbers of a C array, which Swift sees as a tuple.
func spatial<Numbers>(_ numbers: Numbers, _ count: Int) -> [Int64] {
    withUnsafeBytes(of: numbers) { Array($0.bindMemory(to: Int64.self).prefix(count)) }
}
