import Primitives
import Tensors

/// Primitives that several operators and gradients are made of.
extension PlanBuilder {
    // MARK: Functions of one element

    /// Functions of one element, one after another, in place.
    func emitFunctions(_ functions: [PostOperation], on target: Operand) throws {
        for case .eltwise(let function, let alpha, let beta) in functions {
            try emitEltwise(function, alpha: alpha, beta: beta, from: target, to: target)
        }
    }

    /// `target = function(source)`, both in the layout of the source. `target` may be `source`.
    func emitEltwise(
        _ function: Algorithm.Elementwise, alpha: Float, beta: Float, from source: Operand, to target: Operand
    ) throws {
        let primitive = try Primitive.elementwise(
            function, alpha: alpha, beta: beta, source.layout, engine: engine)
        emit(primitive, [(.source, source), (.target, target)])
    }

    // MARK: Two operands

    /// The value as oneDNN broadcasts it onto `layout`: of the same rank, extents equal or one.
    func broadcastOperand(_ value: String, onto layout: MemoryDescriptor) throws -> Operand {
        let shape = try shape(value)
        let full = layout.shape
        if shape == full { return try operand(value, as: layout) }
        if shape.rank == full.rank, constant(value) == nil, shape.rank > 1, shape[1] == full[1] {
            return try operand(value)
        }
        let aligned = Shape([Int](repeating: 1, count: full.rank - shape.rank) + shape.dimensions)
        return Operand(buffer: try plainOperand(value).buffer, layout: try MemoryDescriptor(plain: aligned))
    }

    /// `target = first (op) second`, `second` broadcast, then `post`. `target` may be `first`.
    ///
    /// In blocked layouts oneDNN 2.6 goes wrong in two ways, silently. Where channels fill up the last block with zeros, it
    /// writes those zeros before it reads what lies there, so it must not work in place. And with post-operations it walks
    /// layouts whose block is not the width of the vectors in strides of that width, beyond their end, so functions follow
    /// as primitives of their own.
    func emitBinary(
        _ algorithm: Algorithm.Binary, _ first: Operand, _ second: Operand, to target: Operand, post: [PostOperation]
    ) throws {
        let overwritesPadding = target.buffer == first.buffer && target.layout.paddingCount > 0
        let result = overwritesPadding ? allocate(target.layout) : target
        let (fused, rest) = target.layout.isBlocked ? ([], post) : post.fusable
        for (first, second, result) in try samples(first, second, result) {
            let primitive = try Primitive.binary(
                algorithm, first.layout, second.layout, to: result.layout, post: fused, engine: engine)
            emit(primitive, [(.source, first), (.secondSource, second), (.target, result)])
        }
        if overwritesPadding { try reorder(result, to: target) }
        try emitFunctions(rest, on: target)
    }

    /// The operands as they are, or, where there is one number for each channel of each sample (squeeze and excite), sample by
    /// sample: oneDNN is fast with one number for each channel, and a hundred times slower otherwise.
    private func samples(
        _ first: Operand, _ second: Operand, _ target: Operand
    ) throws -> [(Operand, Operand, Operand)] {
        let (full, small) = (first.layout.shape, second.layout.shape)
        guard full.rank > 2, small.rank == full.rank, small[0] == full[0], small[1] == full[1],
            full.count > small.count, small.count == small[0] * small[1]
        else { return [(first, second, target)] }
        func sample(_ operand: Operand, _ index: Int) -> Operand {
            let (layout, distance) = operand.layout.sample()
            return Operand(buffer: operand.buffer, layout: layout, offset: index * distance)
        }
        let blocked = first.layout.withoutSpatialExtents()
        var factors = second
        if second.layout != blocked {
            factors = allocate(blocked)
            try reorder(second, to: factors)
        }
        return (0..<full[0]).map { (sample(first, $0), sample(factors, $0), sample(target, $0)) }
    }

    /// `output = left right`, then `post`; see `Primitive.matrixProduct`.
    func emitMatrixProduct(
        _ left: Operand, _ right: Operand, _ output: Operand, post: [PostOperation]
    ) throws {
        let (fused, rest) = post.fusable
        let primitive = try Primitive.matrixProduct(
            left.layout, right.layout, to: output.layout, post: fused, engine: engine)
        emit(primitive, [(.source, left), (.weights, right), (.target, output)])
        try emitFunctions(rest, on: output)
    }
}
