import Graph
import Nodes
import Operators
import Primitives
import Tensors

extension MatrixProduct: PostOperable, ExecutableOperator {
    var fusesAddition: Bool { false }

    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let output = try plan.shape(unit.outputs[0])
        var left = try plan.plainOperand(unit.node.inputs[0])
        var right = try plan.plainOperand(unit.node.inputs[1])
        let (a, b) = (left.layout.shape, right.layout.shape)
        // A vector on the left is a row, on the right a column; batch axes are aligned at the end.
        let rank = max(a.rank, b.rank, 2)
        let rows = a.rank == 1 ? Shape([1, a[0]]) : a
        let columns = b.rank == 1 ? Shape([b[0], 1]) : b
        func aligned(_ shape: Shape) -> Shape {
            Shape([Int](repeating: 1, count: rank - shape.rank) + shape.dimensions)
        }
        left = Operand(buffer: left.buffer, layout: try MemoryDescriptor(plain: aligned(rows)))
        right = Operand(buffer: right.buffer, layout: try MemoryDescriptor(plain: aligned(columns)))
        let batch = zip(aligned(rows).dimensions, aligned(columns).dimensions).dropLast(2).map { max($0, $1) }
        let product = Shape(batch + [rows[rows.rank - 2], columns[columns.rank - 1]])
        let target = plan.allocate(try MemoryDescriptor(plain: product))
        try plan.emitMatrixProduct(left, right, target, post: unit.post)
        plan.define(
            unit.outputs[0],
            at: Operand(buffer: target.buffer, layout: try MemoryDescriptor(plain: output)))
    }
}

extension MatrixProduct: DifferentiableOperator {
    /// With Y = A B: dA = dY B', dB = A' dY, summed over batch axes that were broadcast.
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        let plan = gradients.plan
        let (a, b) = (try plan.shape(unit.node.inputs[0]), try plan.shape(unit.node.inputs[1]))
        let rank = max(a.rank, b.rank, 2)
        func aligned(_ shape: Shape) -> Shape {
            Shape([Int](repeating: 1, count: rank - shape.rank) + shape.dimensions)
        }
        // A vector on the left is a row, on the right a column.
        let rows = aligned(a.rank == 1 ? Shape([1, a[0]]) : a)
        let columns = aligned(b.rank == 1 ? Shape([b[0], 1]) : b)
        let batch = zip(rows.dimensions, columns.dimensions).dropLast(2).map { max($0, $1) }
        let product = try gradients.reshaped(gradient, Shape(batch + [rows[rank - 2], columns[rank - 1]]))
        var result: [Operand?] = [nil, nil]
        if gradients.isNeeded(unit, 0) {
            let right = try gradients.transposed(unit.node.inputs[1], as: columns)
            let full = plan.allocate(try MemoryDescriptor(plain: Shape(batch + rows.dimensions.suffix(2))))
            try plan.emitMatrixProduct(product, right, full, post: [])
            result[0] = try gradients.reshaped(gradients.reduced(full, to: rows), a)
        }
        if gradients.isNeeded(unit, 1) {
            let left = try gradients.transposed(unit.node.inputs[0], as: rows)
            let full = plan.allocate(try MemoryDescriptor(plain: Shape(batch + columns.dimensions.suffix(2))))
            try plan.emitMatrixProduct(left, product, full, post: [])
            result[1] = try gradients.reshaped(gradients.reduced(full, to: columns), b)
        }
        return result
    }
}

extension GradientBuilder {
    /// The matrices of a value read with rows and columns exchanged.
    /// - Parameter shape: the value's shape as the product saw it.
    fileprivate func transposed(_ value: String, as shape: Shape) throws -> Operand {
        var axes = Array(0..<shape.rank)
        axes.swapAt(shape.rank - 2, shape.rank - 1)
        let layout = try MemoryDescriptor(plain: shape).permuted(axes)
        return Operand(buffer: try plan.plainOperand(value).buffer, layout: layout)
    }
}

extension GeneralMatrixProduct: PostOperable, ExecutableOperator {
    var fusesAddition: Bool { false }

    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let (a, b) = (unit.node.inputs[0], unit.node.inputs[1])
        let c = unit.node.inputs.count > 2 && !unit.node.inputs[2].isEmpty ? unit.node.inputs[2] : nil
        let output = try plan.shape(unit.outputs[0])
        let (rows, columns) = (output[0], output[1])
        let isRowBias =
            try c.map {
                try plan.constant($0) != nil && plan.shape($0).count == columns
                    && plan.shape($0).dimensions.last == columns
            } ?? true
        if let tensor = plan.constant(b), !transposesA, isRowBias {
            try buildInnerProduct(unit, plan, weight: (b, tensor), bias: c, columns: columns)
        } else {
            try buildGeneral(unit, plan, a, b, c, rows: rows, columns: columns)
        }
    }

    /// `Y = A B + c` with constant B and one c per column: a fully connected layer.
    private func buildInnerProduct(
        _ unit: Unit, _ plan: PlanBuilder, weight: (name: String, tensor: Tensor), bias: String?, columns: Int
    ) throws {
        let input = unit.node.inputs[0]
        let inputShape = try plan.shape(input)
        let weightShape = Shape([columns, inputShape[1]])
        let primitive = try Primitive.innerProduct(
            source: inputShape, weights: weightShape, target: plan.shape(unit.outputs[0]), hasBias: bias != nil,
            post: unit.post, engine: plan.engine)

        let natural =
            transposesB
            ? try MemoryDescriptor(plain: weightShape)
            : try MemoryDescriptor(shape: weightShape, strides: [1, columns])
        let alpha = alpha
        let product = try plan.weight(
            weight.name, weight.tensor, as: primitive.layout(.weights), from: natural,
            variant: "gemm \(alpha) \(transposesB)", transform: alpha == 1 ? nil : { $0.map { $0 * alpha } })
        var arguments: [(argument: Argument, operand: Operand)] = [
            (.source, try plan.operand(input, as: primitive.layout(.source))),
            (.weights, product),
        ]
        if let bias, let tensor = plan.constant(bias) {
            let beta = beta
            let scaled = try plan.weight(
                bias, tensor.reshaped([columns]), as: MemoryDescriptor(plain: [columns]), variant: "gemm \(beta)",
                transform: beta == 1 ? nil : { $0.map { $0 * beta } })
            arguments.append((.bias, scaled))
        }
        let output = try plan.allocate(primitive.layout(.target))
        plan.emit(primitive, arguments + [(.target, output)])
        plan.define(unit.outputs[0], at: output)
    }

    /// Any other form: a matrix product, then `alpha * product + beta * C` in place.
    private func buildGeneral(
        _ unit: Unit, _ plan: PlanBuilder, _ a: String, _ b: String, _ c: String?, rows: Int, columns: Int
    ) throws {
        var left = try plan.plainOperand(a)
        var right = try plan.plainOperand(b)
        if transposesA { left = Operand(buffer: left.buffer, layout: try left.layout.permuted([1, 0])) }
        if transposesB { right = Operand(buffer: right.buffer, layout: try right.layout.permuted([1, 0])) }
        let output = plan.allocate(try MemoryDescriptor(plain: [rows, columns]))
        var post: [PostOperation] = []
        if alpha != 1 { post.append(.eltwise(.linear, alpha: alpha, beta: 0)) }
        try plan.emitMatrixProduct(left, right, output, post: c == nil ? post + unit.post : post)
        if let c {
            // beta * C first, where beta is not one, then a broadcast addition.
            var addend = try plan.plainOperand(c)
            let shape = try plan.shape(c)
            let aligned = Shape([Int](repeating: 1, count: 2 - shape.rank) + shape.dimensions)
            addend = Operand(buffer: addend.buffer, layout: try MemoryDescriptor(plain: aligned))
            if beta != 1 {
                let scaled = plan.allocate(addend.layout)
                try plan.emitEltwise(.linear, alpha: beta, beta: 0, from: addend, to: scaled)
                addend = scaled
            }
            try plan.emitBinary(.add, output, addend, to: output, post: unit.post)
        }
        plan.define(unit.outputs[0], at: output)
    }
}

extension GeneralMatrixProduct: DifferentiableOperator {
    /// With Y = alpha A B + beta C: dA = alpha dY B', dB = alpha A' dY, dC = beta dY summed over broadcast axes; for a factor
    /// that is read transposed, the transpose of that, (X Y)' = Y' X'.
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = try outputs[0].map(gradients.plain) else { return [] }
        let plan = gradients.plan
        let transposedGradient = Operand(buffer: gradient.buffer, layout: try gradient.layout.permuted([1, 0]))
        let post: [PostOperation] = alpha == 1 ? [] : [.eltwise(.linear, alpha: alpha, beta: 0)]
        func factor(_ index: Int, transposed: Bool) throws -> Operand {
            let operand = try plan.plainOperand(unit.node.inputs[index])
            return transposed
                ? Operand(buffer: operand.buffer, layout: try operand.layout.permuted([1, 0])) : operand
        }
        func product(_ left: Operand, _ right: Operand, like index: Int) throws -> Operand {
            let target = plan.allocate(try MemoryDescriptor(plain: plan.shape(unit.node.inputs[index])))
            try plan.emitMatrixProduct(left, right, target, post: post)
            return target
        }
        var result = [Operand?](repeating: nil, count: unit.node.inputs.count)
        if gradients.isNeeded(unit, 0) {
            result[0] =
                transposesA
                ? try product(factor(1, transposed: transposesB), transposedGradient, like: 0)
                : try product(gradient, factor(1, transposed: !transposesB), like: 0)
        }
        if gradients.isNeeded(unit, 1) {
            result[1] =
                transposesB
                ? try product(transposedGradient, factor(0, transposed: transposesA), like: 1)
                : try product(factor(0, transposed: !transposesA), gradient, like: 1)
        }
        if gradients.isNeeded(unit, 2) {
            result[2] = try gradients.scaledSum(of: gradient, by: beta, unit, 2)
        }
        return result
    }
}
