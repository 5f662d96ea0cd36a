import Graph
import Nodes
import Operators
import Primitives
import TensorFunctions
import Tensors

extension ElementwiseUnary: ElementFunction, ExecutableOperator {
    func postOperation(inputs: [OperatorInput?]) -> PostOperation? { function.eltwise }

    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        if let eltwise = function.eltwise {
            try plan.buildEltwise(unit, eltwise)
        } else {
            try plan.buildNative(unit, function.value)
        }
    }
}

extension UnaryFunction {
    /// oneDNN's function of one element, where it has one.
    fileprivate var eltwise: PostOperation? {
        switch self {
        case .relu: .eltwise(.relu, alpha: 0, beta: 0)
        case .leakyRelu(let alpha): .eltwise(.relu, alpha: alpha, beta: 0)
        case .elu(let alpha): .eltwise(.elu, alpha: alpha, beta: 0)
        case .sigmoid: .eltwise(.logistic, alpha: 0, beta: 0)
        case .tanh: .eltwise(.tanh, alpha: 0, beta: 0)
        case .exp: .eltwise(.exp, alpha: 0, beta: 0)
        case .log: .eltwise(.log, alpha: 0, beta: 0)
        case .sqrt: .eltwise(.sqrt, alpha: 0, beta: 0)
        case .abs: .eltwise(.abs, alpha: 0, beta: 0)
        case .neg: .eltwise(.linear, alpha: -1, beta: 0)
        case .hardSwish: .eltwise(.hardSwish, alpha: 0, beta: 0)
        case .softplus: .eltwise(.softRelu, alpha: 0, beta: 0)
        case .gelu(let tanhApproximation):
            .eltwise(tanhApproximation ? .geluTanh : .geluErf, alpha: 0, beta: 0)
        default: nil
        }
    }
}

extension PlanBuilder {
    fileprivate func buildEltwise(_ unit: Unit, _ operation: PostOperation) throws {
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
}

extension ElementwiseUnary: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        if function.isStep { return [nil] }
        if case .neg = function { return [try gradients.scaled(gradient, by: -1)] }
        if case .hardSwish = function { return [try gradients.hardSwish(gradient, unit.node.inputs[0])] }
        guard case .eltwise(let algorithm, let alpha, let beta)? = function.eltwise else {
            let input = try gradients.plan.plainOperand(unit.node.inputs[0])
            let derivative = function.derivative
            return [
                try gradients.mapped(gradient, input, input) { gradient, x, _ in gradient * Float(derivative(Double(x)))
                }
            ]
        }
        // From the output where that is as good, since consumers keep it anyway; not where the caller has changed it.
        let fromOutput = function.gradientIsOfOutput && !gradients.plan.isTapped(unit.outputs[0])
        return [try gradients.eltwise(algorithm, alpha, beta, gradient, unit, fromOutput: fromOutput)]
    }
}

extension UnaryFunction {
    /// Whether the derivative is zero wherever there is one.
    fileprivate var isStep: Bool {
        switch self {
        case .floor, .ceil, .round, .sign: true
        default: false
        }
    }

    /// Whether the output determines the derivative, and oneDNN computes it from there.
    fileprivate var gradientIsOfOutput: Bool {
        switch self {
        case .relu, .sigmoid, .tanh, .exp, .sqrt: true
        case .leakyRelu(let alpha), .elu(let alpha): alpha >= 0
        default: false
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

    /// The gradient through a unit that is a function of one element, in the gradient's own memory where that may be.
    /// - Parameter fromOutput: whether it is computed from the function's output instead of its input.
    fileprivate func eltwise(
        _ function: Algorithm.Elementwise, _ alpha: Float, _ beta: Float, _ gradient: Operand, _ unit: Unit,
        fromOutput: Bool
    ) throws -> Operand {
        let data = try plan.operand(fromOutput ? unit.outputs[0] : unit.node.inputs[0])
        let primitive = try Primitive.elementwiseGradient(
            of: function, alpha: alpha, beta: beta, fromOutput: fromOutput, data.layout, engine: plan.engine)
        let source = try converted(gradient, to: data.layout)
        let target = source.buffer != gradient.buffer || canOverwrite(gradient) ? source : plan.allocate(data.layout)
        plan.emit(
            primitive,
            [(fromOutput ? .target : .source, data), (.targetGradient, source), (.sourceGradient, target)])
        return target
    }
}

extension Clip: ElementFunction, ExecutableOperator {
    func postOperation(inputs: [OperatorInput?]) -> PostOperation? { (try? bounds(inputs: inputs)).map(Self.eltwise) }

    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        try plan.buildEltwise(unit, Self.eltwise(bounds(inputs: plan.operatorInputs(unit))))
    }
}

extension Clip {
    /// The bounds as oneDNN's function of one element, which takes neither infinities nor a minimum above the maximum: ONNX
    /// says that the maximum prevails then.
    private static func eltwise(_ bounds: (minimum: Float, maximum: Float)) -> PostOperation {
        let limit = Float.greatestFiniteMagnitude
        let maximum = max(min(bounds.maximum, limit), -limit)
        return .eltwise(.clip, alpha: min(max(bounds.minimum, -limit), maximum), beta: maximum)
    }
}

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
        let fromOutput = !gradients.plan.isTapped(unit.outputs[0])
        return [try gradients.eltwise(.clip, low, high, gradient, unit, fromOutput: fromOutput)]
    }
}
