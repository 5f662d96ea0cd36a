import Graph
import Tensors

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
