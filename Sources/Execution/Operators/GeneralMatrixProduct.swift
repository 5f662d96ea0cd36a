import COneDNN
import Graph
import Tensors

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
        var source = try MemoryDescriptor(any: inputShape).raw
        var weights = try MemoryDescriptor(any: weightShape).raw
        var target = try MemoryDescriptor(any: plan.shape(unit.outputs[0])).raw
        var biases = try MemoryDescriptor(plain: [columns]).raw
        var operation = dnnl_inner_product_desc_t()
        try withUnsafePointer(to: &biases) { biases in
            try check(
                dnnl_inner_product_forward_desc_init(
                    &operation, dnnl_forward_inference, &source, &weights, bias == nil ? nil : biases, &target),
                "inner product")
        }
        let primitive = try Primitive(&operation, named: "inner product", post: unit.post, engine: plan.engine)

        let natural =
            transposesB
            ? try MemoryDescriptor(plain: weightShape)
            : try MemoryDescriptor(shape: weightShape, strides: [1, columns])
        let alpha = alpha
        let product = try plan.weight(
            weight.name, weight.tensor, as: primitive.layout(dnnl_query_weights_md), from: natural,
            variant: "gemm \(alpha) \(transposesB)", transform: { alpha == 1 ? $0 : $0.map { $0 * alpha } })
        var arguments: [(argument: Int32, operand: Operand)] = [
            (DNNL_ARG_SRC, try plan.operand(input, as: primitive.layout(dnnl_query_src_md))),
            (DNNL_ARG_WEIGHTS, product),
        ]
        if let bias, let tensor = plan.constant(bias) {
            let beta = beta
            let scaled = try plan.weight(
                bias, tensor.reshaped([columns]), as: MemoryDescriptor(plain: [columns]), variant: "gemm \(beta)",
                transform: { beta == 1 ? $0 : $0.map { $0 * beta } })
            arguments.append((DNNL_ARG_BIAS, scaled))
        }
        let output = try plan.allocate(primitive.layout(dnnl_query_dst_md))
        plan.emit(primitive, arguments + [(DNNL_ARG_DST, output)])
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
        if alpha != 1 { post.append(.eltwise(dnnl_eltwise_linear, alpha: alpha, beta: 0)) }
        try plan.emitMatrixProduct(left, right, output, post: c == nil ? post + unit.post : post)
        if let c {
            // beta * C first, where beta is not one, then a broadcast addition.
            var addend = try plan.plainOperand(c)
            let shape = try plan.shape(c)
            let aligned = Shape([Int](repeating: 1, count: 2 - shape.rank) + shape.dimensions)
            addend = Operand(buffer: addend.buffer, layout: try MemoryDescriptor(plain: aligned))
            if beta != 1 {
                let scaled = plan.allocate(addend.layout)
                try plan.emitEltwise(dnnl_eltwise_linear, alpha: beta, beta: 0, from: addend, to: scaled)
                addend = scaled
            }
            try plan.emitBinary(dnnl_binary_add, output, addend, to: output, post: unit.post)
        }
        plan.define(unit.outputs[0], at: output)
    }
}
