import COneDNN
import Graph
import Tensors

extension Reduce: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let source = try plan.plainOperand(unit.node.inputs[0])
        let output = try plan.shape(unit.outputs[0])
        var kept = source.layout.shape.dimensions
        for axis in try axes(inputs: plan.operatorInputs(unit)) { kept[axis] = 1 }
        guard kept != source.layout.shape.dimensions else { return try buildOfSingles(unit, source, plan) }
        let target = plan.allocate(try MemoryDescriptor(plain: Shape(kept)))
        let (algorithm, power): (dnnl_alg_kind_t, Float) =
            switch function {
            case .mean: (dnnl_reduction_mean, 0)
            case .sum: (dnnl_reduction_sum, 0)
            case .max: (dnnl_reduction_max, 0)
            case .min: (dnnl_reduction_min, 0)
            case .l1: (dnnl_reduction_norm_lp_sum, 1)
            case .l2: (dnnl_reduction_norm_lp_sum, 2)
            case .product: (dnnl_reduction_mul, 0)
            case .sumOfSquares: (dnnl_reduction_norm_lp_power_p_sum, 2)
            }
        var (from, to) = (source.layout.raw, target.layout.raw)
        var operation = dnnl_reduction_desc_t()
        try check(dnnl_reduction_desc_init(&operation, algorithm, &from, &to, power, 0), "reduction")
        let primitive = try Primitive(&operation, named: "reduction", engine: plan.engine)
        plan.emit(primitive, [(DNNL_ARG_SRC, source), (DNNL_ARG_DST, target)])
        plan.define(
            unit.outputs[0], at: Operand(buffer: target.buffer, layout: try MemoryDescriptor(plain: output)))
    }

    /// Where every reduced axis has one element, the output has the input's elements or a function of them.
    private func buildOfSingles(_ unit: Unit, _ source: Operand, _ plan: PlanBuilder) throws {
        let shaped = Operand(
            buffer: source.buffer, layout: try MemoryDescriptor(plain: plan.shape(unit.outputs[0])))
        let algorithm: dnnl_alg_kind_t
        switch function {
        case .mean, .sum, .max, .min, .product: return try plan.alias(unit.outputs[0], to: shaped)
        case .l1, .l2: algorithm = dnnl_eltwise_abs
        case .sumOfSquares: algorithm = dnnl_eltwise_square
        }
        let target = plan.allocate(shaped.layout)
        try plan.emitEltwise(algorithm, alpha: 0, beta: 0, from: shaped, to: target)
        plan.define(unit.outputs[0], at: target)
    }
}
