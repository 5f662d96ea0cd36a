import COneDNN
import Graph
import Tensors

extension GeneralMatrixProduct: DifferentiableOperator {
    /// With Y = alpha A B + beta C: dA = alpha dY B', dB = alpha A' dY, dC = beta dY summed over broadcast axes; for a factor
    /// that is read transposed, the transpose of that, (X Y)' = Y' X'.
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = try outputs[0].map(gradients.plain) else { return [] }
        let plan = gradients.plan
        let transposedGradient = Operand(buffer: gradient.buffer, layout: try gradient.layout.permuted([1, 0]))
        let post: [PostOperation] = alpha == 1 ? [] : [.eltwise(dnnl_eltwise_linear, alpha: alpha, beta: 0)]
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
