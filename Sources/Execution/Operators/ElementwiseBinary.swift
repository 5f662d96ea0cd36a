import COneDNN
import Foundation
import Graph
import Tensors

extension ElementwiseBinary: PostOperable, ExecutableOperator {
    var fusesAddition: Bool { false }

    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        try plan.buildBinary(unit, function, unit.node.inputs[0], unit.node.inputs[1])
    }
}

extension ElementwiseBinary.Function {
    /// oneDNN's algorithm, and whether the operands may change places.
    fileprivate var oneDNN: (algorithm: dnnl_alg_kind_t, commutes: Bool)? {
        switch self {
        case .add: (dnnl_binary_add, true)
        case .sub: (dnnl_binary_sub, false)
        case .mul: (dnnl_binary_mul, true)
        case .div: (dnnl_binary_div, false)
        case .pow, .prelu: nil
        }
    }

    /// The function by its definition in the ONNX specification.
    fileprivate var scalar: (Float, Float) -> Float {
        switch self {
        case .add: { $0 + $1 }
        case .sub: { $0 - $1 }
        case .mul: { $0 * $1 }
        case .div: { $0 / $1 }
        case .pow: { Foundation.pow($0, $1) }
        case .prelu: { $0 < 0 ? $0 * $1 : $0 }
        }
    }
}

extension PlanBuilder {
    fileprivate func buildBinary(
        _ unit: Unit, _ function: ElementwiseBinary.Function, _ left: String, _ right: String
    ) throws {
        let shape = try shape(unit.outputs[0])
        var (first, second) = (left, right)
        guard let oneDNN = function.oneDNN else { return try buildNativeBinary(unit, function, left, right) }
        if oneDNN.commutes {
            // The first operand gives the layout: the one of full shape, rather computed than constant.
            let firstFits = try self.shape(first) == shape
            let secondFits = try self.shape(second) == shape
            if secondFits, !firstFits || constant(first) != nil { swap(&first, &second) }
        }
        guard try self.shape(first) == shape, shape.rank > 0 else {
            return try buildNativeBinary(unit, function, left, right)
        }
        let source = try operand(first)
        let addend = try broadcastOperand(second, onto: source.layout)
        let target =
            source.layout.paddingCount > 0
            ? allocate(source.layout) : try allocate(source.layout, overwriting: first, usedBy: unit)
        try emitBinary(oneDNN.algorithm, source, addend, to: target, post: unit.post)
        define(unit.outputs[0], at: target)
    }

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
        _ algorithm: dnnl_alg_kind_t, _ first: Operand, _ second: Operand, to target: Operand, post: [PostOperation]
    ) throws {
        let overwritesPadding = target.buffer == first.buffer && target.layout.paddingCount > 0
        let result = overwritesPadding ? allocate(target.layout) : target
        let fused = target.layout.isBlocked ? [] : post
        for (first, second, result) in try samples(first, second, result) {
            var (a, b, y) = (first.layout.raw, second.layout.raw, result.layout.raw)
            var operation = dnnl_binary_desc_t()
            try check(dnnl_binary_desc_init(&operation, algorithm, &a, &b, &y), "binary operation")
            let primitive = try Primitive(&operation, named: "binary operation", post: fused, engine: engine)
            emit(primitive, [(DNNL_ARG_SRC_0, first), (DNNL_ARG_SRC_1, second), (DNNL_ARG_DST, result)])
        }
        if overwritesPadding { try reorder(result, to: target) }
        if fused.isEmpty { try emitFunctions(post, on: target) }
    }

    /// Functions of one element, one after another, in place.
    private func emitFunctions(_ functions: [PostOperation], on target: Operand) throws {
        for case .eltwise(let algorithm, let alpha, let beta) in functions {
            try emitEltwise(algorithm, alpha: alpha, beta: beta, from: target, to: target)
        }
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

    /// Row-major loop with broadcasting of both operands.
    private func buildNativeBinary(
        _ unit: Unit, _ function: ElementwiseBinary.Function, _ left: String, _ right: String
    ) throws {
        let shape = try shape(unit.outputs[0])
        let (a, b) = (try plainOperand(left), try plainOperand(right))
        let target = allocate(try MemoryDescriptor(plain: shape))
        let indices = (
            BroadcastIndices(of: try self.shape(left), in: shape),
            BroadcastIndices(of: try self.shape(right), in: shape)
        )
        let scalar = function.scalar
        emit([a, b, target]) { pointers in
            for index in 0..<shape.count {
                pointers[2][index] = scalar(pointers[0][indices.0[index]], pointers[1][indices.1[index]])
            }
        }
        try emitFunctions(unit.post, on: target)
        define(unit.outputs[0], at: target)
    }
}
