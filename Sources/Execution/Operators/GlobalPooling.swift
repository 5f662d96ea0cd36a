import COneDNN
import Graph
import Tensors

extension GlobalPooling: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let extents = Array(try plan.shape(unit.node.inputs[0]).dimensions.dropFirst(2))
        let ones = extents.map { _ in 1 }
        let zeros = extents.map { _ in 0 }
        let output = try plan.pool(
            unit, kind == .max ? dnnl_pooling_max : dnnl_pooling_avg_exclude_padding, kernel: extents, strides: ones,
            dilations: ones, begin: zeros, end: zeros)
        plan.define(unit.outputs[0], at: output)
    }
}
