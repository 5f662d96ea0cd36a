import COneDNN
import Graph
import Tensors

extension Clip: DifferentiableOperator {
    /// Elements between the bounds pass their gradient. One that equals a bound passes it too, as in `torch.clamp`, but not
    /// where the bounds are those of Relu (0 and none) or ReLU6 (0 and 6): these are exported as Clip, and their gradient at
    /// the bounds is zero.
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        let plan = gradients.plan
        let (low, high) = try bounds(inputs: plan.operatorInputs(unit))
        if low == 0, high == 6 || high == .infinity {
            let (value, argument) =
                plan.isTapped(unit.outputs[0])
                ? (unit.node.inputs[0], DNNL_ARG_SRC) : (unit.outputs[0], DNNL_ARG_DST)
            let algorithm =
                argument == DNNL_ARG_SRC ? dnnl_eltwise_clip_v2 : dnnl_eltwise_clip_v2_use_dst_for_bwd
            let limit = min(high, .greatestFiniteMagnitude)
            return [try gradients.eltwise(algorithm, low, limit, gradient, value, argument: argument)]
        }
        let input = try plan.operand(unit.node.inputs[0])
        let source = try gradients.converted(gradient, to: input.layout)
        let target = plan.allocate(input.layout)
        // What fills up the layout is zero in the gradient and stays so.
        let count = input.layout.byteCount / MemoryLayout<Float>.stride
        plan.emit([source, input, target]) { pointers in
            let (gradient, x, result) = (pointers[0], pointers[1], pointers[2])
            for index in 0..<count {
                result[index] = x[index] >= low && x[index] <= high ? gradient[index] : 0
            }
        }
        return [target]
    }
}
