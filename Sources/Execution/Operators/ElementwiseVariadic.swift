import COneDNN
import Graph
import Tensors

extension ElementwiseVariadic: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let shape = try plan.shape(unit.outputs[0])
        let algorithm: dnnl_alg_kind_t =
            switch function {
            case .max: dnnl_binary_max
            case .min: dnnl_binary_min
            case .sum, .mean: dnnl_binary_add
            }
        let scale = function == .mean ? 1 / Float(unit.node.inputs.count) : 1
        let mean: [PostOperation] = scale == 1 ? [] : [.eltwise(dnnl_eltwise_linear, alpha: scale, beta: 0)]
        if unit.node.inputs.count == 1 {
            return try plan.alias(unit.outputs[0], to: plan.operand(unit.node.inputs[0]))
        }
        // The first operand of full shape is the accumulator; all these functions commute.
        guard
            let first = try unit.node.inputs.firstIndex(where: { try plan.shape($0) == shape })
        else {
            throw ExecutionError(.unsupportedForm, expected: "an input of the output's shape")
        }
        let rest = unit.node.inputs.indices.filter { $0 != first }
        var accumulator = try plan.operand(unit.node.inputs[first])
        for (step, index) in rest.enumerated() {
            let operand = try plan.broadcastOperand(unit.node.inputs[index], onto: accumulator.layout)
            let target = plan.allocate(accumulator.layout)
            try plan.emitBinary(
                algorithm, accumulator, operand, to: target, post: step == rest.count - 1 ? mean : [])
            accumulator = target
        }
        plan.define(unit.outputs[0], at: accumulator)
    }
}
