import COneDNN
import Graph
import Tensors

extension Clip: DifferentiableOperator {
    /// Elements strictly between the bounds pass their gradient, as in PyTorch 2.15: an element at a bound does not, no more
    /// than zero does in Relu. So the output tells as well as the input, and consumers keep it anyway; but the caller may have
    /// changed it where it is tapped.
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        let bounds = try bounds(inputs: gradients.plan.operatorInputs(unit))
        // oneDNN takes no infinities.
        let limit = Float.greatestFiniteMagnitude
        let (low, high) = (max(bounds.minimum, -limit), min(bounds.maximum, limit))
        guard gradients.plan.isTapped(unit.outputs[0]) else {
            return [
                try gradients.eltwise(
                    dnnl_eltwise_clip_v2_use_dst_for_bwd, low, high, gradient, unit.outputs[0], argument: DNNL_ARG_DST)
            ]
        }
        return [
            try gradients.eltwise(
                dnnl_eltwise_clip_v2, low, high, gradient, unit.node.inputs[0], argument: DNNL_ARG_SRC)
        ]
    }
}
