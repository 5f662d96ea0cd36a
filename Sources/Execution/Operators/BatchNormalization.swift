import COneDNN
import Graph
import Tensors

extension BatchNormalization: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let source = try plan.operand(unit.node.inputs[0])
        let usesBatch = plan.usesBatchStatistics(unit)
        var layout = source.layout.raw
        var operation = dnnl_batch_normalization_desc_t()
        try check(
            dnnl_batch_normalization_forward_desc_init(
                &operation, plan.propagation, &layout, epsilon, Self.flags(batchStatistics: usesBatch)),
            "batch normalization")
        let primitive = try Primitive(&operation, named: "batch normalization", engine: plan.engine)
        let target = try plan.allocate(source.layout, overwriting: unit.node.inputs[0], usedBy: unit)
        let statistics =
            usesBatch
            ? try [3, 4].map { plan.allocate(try MemoryDescriptor(plain: plan.shape(unit.node.inputs[$0]))) }
            : try [3, 4].map { try plan.plainOperand(unit.node.inputs[$0]) }
        plan.emit(
            primitive,
            [
                (DNNL_ARG_SRC, source), (DNNL_ARG_SCALE, try plan.plainOperand(unit.node.inputs[1])),
                (DNNL_ARG_SHIFT, try plan.plainOperand(unit.node.inputs[2])), (DNNL_ARG_MEAN, statistics[0]),
                (DNNL_ARG_VARIANCE, statistics[1]), (DNNL_ARG_DST, target),
            ], for: unit)
        if usesBatch {
            let channels = statistics[0].layout.shape.count
            let count = source.layout.shape.count / max(channels, 1)
            guard count > 1 else {
                throw ExecutionError(
                    .unsupportedForm, tensor: unit.node.inputs[0],
                    expected: "more than one value per channel for the statistics of a batch", found: "\(count)")
            }
            plan.emitStatistics(unit.outputs[0], mean: statistics[0], variance: statistics[1], valuesPerChannel: count)
        }
        plan.define(unit.outputs[0], at: target)
    }

    /// - Parameter batchStatistics: whether mean and variance are computed from the input, instead of given.
    static func flags(batchStatistics: Bool) -> UInt32 {
        dnnl_use_scale.rawValue | dnnl_use_shift.rawValue | (batchStatistics ? 0 : dnnl_use_global_stats.rawValue)
    }
}
