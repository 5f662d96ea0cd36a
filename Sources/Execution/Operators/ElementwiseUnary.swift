import COneDNN
import Foundation
import Graph
import Tensors

extension ElementwiseUnary: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        if let eltwise = function.eltwise {
            try plan.buildEltwise(unit, eltwise)
        } else {
            try plan.buildNative(unit, function.scalar)
        }
    }
}

extension ElementwiseUnary.Function {
    /// oneDNN's function of one element, where it has one.
    var eltwise: PostOperation? {
        switch self {
        case .relu: .eltwise(dnnl_eltwise_relu, alpha: 0, beta: 0)
        case .leakyRelu(let alpha): .eltwise(dnnl_eltwise_relu, alpha: alpha, beta: 0)
        case .elu(let alpha): .eltwise(dnnl_eltwise_elu, alpha: alpha, beta: 0)
        case .sigmoid: .eltwise(dnnl_eltwise_logistic, alpha: 0, beta: 0)
        case .tanh: .eltwise(dnnl_eltwise_tanh, alpha: 0, beta: 0)
        case .exp: .eltwise(dnnl_eltwise_exp, alpha: 0, beta: 0)
        case .log: .eltwise(dnnl_eltwise_log, alpha: 0, beta: 0)
        case .sqrt: .eltwise(dnnl_eltwise_sqrt, alpha: 0, beta: 0)
        case .abs: .eltwise(dnnl_eltwise_abs, alpha: 0, beta: 0)
        case .neg: .eltwise(dnnl_eltwise_linear, alpha: -1, beta: 0)
        case .hardSwish: .eltwise(dnnl_eltwise_hardswish, alpha: 0, beta: 0)
        case .softplus: .eltwise(dnnl_eltwise_soft_relu, alpha: 0, beta: 0)
        case .gelu(let tanhApproximation):
            .eltwise(tanhApproximation ? dnnl_eltwise_gelu_tanh : dnnl_eltwise_gelu_erf, alpha: 0, beta: 0)
        case .reciprocal, .erf, .hardSigmoid, .floor, .ceil, .round, .sign: nil
        }
    }

    /// The function by its definition in the ONNX specification.
    fileprivate var scalar: (Float) -> Float {
        switch self {
        case .relu: { max($0, 0) }
        case .leakyRelu(let alpha): { $0 < 0 ? alpha * $0 : $0 }
        case .elu(let alpha): { $0 < 0 ? alpha * (Foundation.exp($0) - 1) : $0 }
        case .sigmoid: { 1 / (1 + Foundation.exp(-$0)) }
        case .tanh: { Foundation.tanh($0) }
        case .exp: { Foundation.exp($0) }
        case .log: { Foundation.log($0) }
        case .sqrt: { $0.squareRoot() }
        case .abs: { Swift.abs($0) }
        case .neg: { -$0 }
        case .reciprocal: { 1 / $0 }
        case .erf: { Foundation.erf($0) }
        case .hardSigmoid(let alpha, let beta): { max(0, min(1, alpha * $0 + beta)) }
        case .hardSwish: { $0 * max(0, min(1, $0 / 6 + 0.5)) }
        case .softplus: { Foundation.log(Foundation.exp($0) + 1) }
        case .gelu(true): Self.approximateGelu
        case .gelu(false): Self.gelu
        case .floor: { $0.rounded(.down) }
        case .ceil: { $0.rounded(.up) }
        case .round: { $0.rounded(.toNearestOrEven) }
        case .sign: { $0 > 0 ? 1 : $0 < 0 ? -1 : $0 }
        }
    }

    private static func gelu(_ x: Float) -> Float {
        x / 2 * (1 + Foundation.erf(x / Float(2).squareRoot()))
    }

    private static func approximateGelu(_ x: Float) -> Float {
        let inner: Float = (2 / Float.pi).squareRoot() * (x + 0.044715 * x * x * x)
        return x / 2 * (1 + Foundation.tanh(inner))
    }
}

extension PlanBuilder {
    func buildEltwise(_ unit: Unit, _ operation: PostOperation) throws {
        guard case .eltwise(let algorithm, let alpha, let beta) = operation else { return }
        let source = try operand(unit.node.inputs[0])
        let target = try allocate(source.layout, overwriting: unit.node.inputs[0], usedBy: unit)
        try emitEltwise(algorithm, alpha: alpha, beta: beta, from: source, to: target)
        define(unit.outputs[0], at: target)
    }

    /// A loop over row-major memory, so that what fills up a blocked layout stays zero.
    fileprivate func buildNative(_ unit: Unit, _ function: @escaping (Float) -> Float) throws {
        let source = try plainOperand(unit.node.inputs[0])
        let target = allocate(source.layout)
        let count = source.layout.shape.count
        emit([source, target]) { pointers in
            for index in 0..<count { pointers[1][index] = function(pointers[0][index]) }
        }
        define(unit.outputs[0], at: target)
    }

    /// Functions of one element, one after another, in place.
    func emitFunctions(_ functions: [PostOperation], on target: Operand) throws {
        for case .eltwise(let algorithm, let alpha, let beta) in functions {
            try emitEltwise(algorithm, alpha: alpha, beta: beta, from: target, to: target)
        }
    }

    func emitEltwise(
        _ algorithm: dnnl_alg_kind_t, alpha: Float, beta: Float, from source: Operand, to target: Operand
    ) throws {
        var layout = source.layout.raw
        var operation = dnnl_eltwise_desc_t()
        try check(
            dnnl_eltwise_forward_desc_init(&operation, dnnl_forward_inference, algorithm, &layout, alpha, beta),
            "element-wise function")
        let primitive = try Primitive(&operation, named: "element-wise function", engine: engine)
        emit(primitive, [(DNNL_ARG_SRC, source), (DNNL_ARG_DST, target)])
    }
}
