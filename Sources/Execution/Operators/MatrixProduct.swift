import COneDNN
import Graph
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

extension PlanBuilder {
    func emitMatrixProduct(
        _ left: Operand, _ right: Operand, _ output: Operand, post: [PostOperation]
    ) throws {
        var (a, b, y) = (left.layout.raw, right.layout.raw, output.layout.raw)
        var operation = dnnl_matmul_desc_t()
        try check(dnnl_matmul_desc_init(&operation, &a, &b, nil, &y), "matrix product")
        let (fused, rest) = post.fusable
        let primitive = try Primitive(&operation, named: "matrix product", post: fused, engine: engine)
        emit(primitive, [(DNNL_ARG_SRC, left), (DNNL_ARG_WEIGHTS, right), (DNNL_ARG_DST, output)])
        try emitFunctions(rest, on: output)
    }
}
