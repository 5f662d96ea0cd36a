import COneDNN
import Foundation
import Graph
import Tensors

extension ElementwiseUnary: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        if function.isStep { return [nil] }
        if case .neg = function { return [try gradients.scaled(gradient, by: -1)] }
        if case .hardSwish = function { return [try gradients.hardSwish(gradient, unit.node.inputs[0])] }
        guard case .eltwise(let algorithm, let alpha, let beta)? = function.eltwise else {
            let input = try gradients.plan.plainOperand(unit.node.inputs[0])
            let derivative = function.derivative
            return [try gradients.mapped(gradient, input, input) { gradient, x, _ in gradient * derivative(x) }]
        }
        // From the output where that is as good, since consumers keep it anyway; not where the caller has changed it.
        if let ofOutput = function.algorithmOfOutput, !gradients.plan.isTapped(unit.outputs[0]) {
            return [
                try gradients.eltwise(ofOutput, alpha, beta, gradient, unit.outputs[0], argument: DNNL_ARG_DST)
            ]
        }
        return [
            try gradients.eltwise(algorithm, alpha, beta, gradient, unit.node.inputs[0], argument: DNNL_ARG_SRC)
        ]
    }
}

extension ElementwiseUnary.Function {
    /// Whether the derivative is zero wherever there is one.
    fileprivate var isStep: Bool {
        switch self {
        case .floor, .ceil, .round, .sign: true
        default: false
        }
    }

    /// oneDNN's algorithm that computes the gradient from the function's output, where the output determines it.
    fileprivate var algorithmOfOutput: dnnl_alg_kind_t? {
        switch self {
        case .relu: dnnl_eltwise_relu_use_dst_for_bwd
        case .leakyRelu(let alpha) where alpha >= 0: dnnl_eltwise_relu_use_dst_for_bwd
        case .elu(let alpha) where alpha >= 0: dnnl_eltwise_elu_use_dst_for_bwd
        case .sigmoid: dnnl_eltwise_logistic_use_dst_for_bwd
        case .tanh: dnnl_eltwise_tanh_use_dst_for_bwd
        case .exp: dnnl_eltwise_exp_use_dst_for_bwd
        case .sqrt: dnnl_eltwise_sqrt_use_dst_for_bwd
        default: nil
        }
    }

    /// The derivative of functions that oneDNN does not have.
    fileprivate var derivative: (Float) -> Float {
        switch self {
        case .reciprocal: { -1 / ($0 * $0) }
        case .erf: { 2 / Float.pi.squareRoot() * Foundation.exp(-$0 * $0) }
        case .hardSigmoid(let alpha, let beta):
            { (x: Float) -> Float in
                let line = alpha * x + beta
                return line > 0 && line < 1 ? alpha : 0
            }
        default: { _ in 0 }
        }
    }
}

extension GradientBuilder {
    /// The derivative is 0 up to -3, 1 from 3 on, x / 3 + 1 / 2 between. oneDNN 2.6 has no fast one.
    fileprivate func hardSwish(_ gradient: Operand, _ value: String) throws -> Operand {
        let input = try plan.operand(value)
        let source = try converted(gradient, to: input.layout)
        let target = plan.allocate(input.layout)
        // What fills up the layout is zero in the gradient and stays so.
        let count = input.layout.byteCount / MemoryLayout<Float>.stride
        plan.emit([source, input, target]) { pointers in
            let (gradient, x, result) = (pointers[0], pointers[1], pointers[2])
            for index in 0..<count {
                let x = x[index]
                result[index] = gradient[index] * (x <= -3 ? 0 : x < 3 ? x / 3 + 0.5 : 1)
            }
        }
        return target
    }

    /// The gradient through a function of one element, in the gradient's own memory where that may be.
    /// - Parameters:
    ///   - value: what the algorithm reads: the function's input or its output.
    ///   - argument: `DNNL_ARG_SRC` for the input, `DNNL_ARG_DST` for the output.
    func eltwise(
        _ algorithm: dnnl_alg_kind_t, _ alpha: Float, _ beta: Float, _ gradient: Operand, _ value: String,
        argument: Int32
    ) throws -> Operand {
        let data = try plan.operand(value)
        var layout = data.layout.raw
        var operation = dnnl_eltwise_desc_t()
        try check(
            dnnl_eltwise_forward_desc_init(&operation, dnnl_forward_training, algorithm, &layout, alpha, beta),
            "element-wise function")
        let forward = try Primitive(&operation, named: "element-wise function", engine: plan.engine)
        try check(
            dnnl_eltwise_backward_desc_init(&operation, algorithm, &layout, &layout, alpha, beta),
            "gradient of element-wise function")
        let primitive = try Primitive(
            &operation, named: "gradient of element-wise function", forward: forward, engine: plan.engine)
        let source = try converted(gradient, to: data.layout)
        let target = source.buffer != gradient.buffer || canOverwrite(gradient) ? source : plan.allocate(data.layout)
        plan.emit(primitive, [(argument, data), (DNNL_ARG_DIFF_DST, source), (DNNL_ARG_DIFF_SRC, target)])
        return target
    }
}
