import Tensors

/// LSTM, GRU and RNN: cells that run along a sequence, forwards, backwards or both.
///
/// Inputs: X [length, batch, features], W [directions, gates * hidden, features], R [directions, gates * hidden, hidden]; optional
/// B [directions, 2 * gates * hidden], lengths [batch], initial h [directions, batch, hidden], and of LSTM initial c and P
/// [directions, 3 * hidden]. Outputs: Y [length, directions, batch, hidden], the last h, and of LSTM the last c. With layout 1 the
/// batch comes first in X, Y and the states.
public struct Recurrence: Operator {
    public static let opTypes = ["LSTM", "GRU", "RNN"]

    let node: Node
    let hidden: Int
    /// Of each direction: whether it runs backwards.
    let directions: [Bool]
    /// Of each direction: the functions of its gates, then those of its states.
    let activations: [[RecurrentActivation]]
    /// What enters an activation is limited to this; nil where it is not.
    let clip: Float?
    let isBatchFirst: Bool
    /// Of LSTM: whether the forget gate is one less the input gate.
    let couplesGates: Bool
    /// Of GRU: whether the reset gate is applied behind the product with R.
    let resetsAfterProduct: Bool

    /// Rows of W for each hidden unit.
    var gates: Int { node.opType == "LSTM" ? 4 : node.opType == "GRU" ? 3 : 1 }

    public init(node: Node, opsetVersion: Int) throws {
        let isLSTM = node.opType == "LSTM"
        try node.checkArity(inputs: 3...(isLSTM ? 8 : 6), outputs: isLSTM ? 3 : 2, needsFirst: false)
        var attributes = AttributeReader(node)
        hidden = try attributes.int("hidden_size", default: 0)
        let direction = try attributes.string("direction") ?? "forward"
        guard let directions = ["forward": [false], "reverse": [true], "bidirectional": [false, true]][direction] else {
            throw GraphError(
                .invalidAttribute, at: node, expected: "direction forward, reverse or bidirectional", found: direction)
        }
        self.directions = directions
        clip = try attributes.float("clip")
        isBatchFirst = try attributes.flag("layout")
        couplesGates = isLSTM ? try attributes.flag("input_forget") : false
        resetsAfterProduct = node.opType == "GRU" ? try attributes.flag("linear_before_reset") : false
        let defaults = isLSTM ? ["Sigmoid", "Tanh", "Tanh"] : node.opType == "GRU" ? ["Sigmoid", "Tanh"] : ["Tanh"]
        let names = try attributes.strings("activations") ?? directions.flatMap { _ in defaults }
        var alphas = try attributes.floats("activation_alpha") ?? []
        var betas = try attributes.floats("activation_beta") ?? []
        try attributes.finish()
        guard names.count == defaults.count * directions.count else {
            throw GraphError(
                .invalidAttribute, at: node, expected: "\(defaults.count) activations for each direction",
                found: "\(names)")
        }
        let functions = try names.map { name in
            guard let function = RecurrentActivation(name, &alphas, &betas) else {
                throw GraphError(.invalidAttribute, at: node, expected: "activations that are known", found: name)
            }
            return function
        }
        activations = directions.indices.map {
            Array(functions[$0 * defaults.count..<($0 + 1) * defaults.count])
        }
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let x = try node.input(inputs, 0, rank: 3...3).type
        let recurrent = try node.input(inputs, 2, rank: 3...3).type.shape
        let units = recurrent[2]
        let (length, batch) = isBatchFirst ? (x.shape[1], x.shape[0]) : (x.shape[0], x.shape[1])
        let count = directions.count
        let state = Shape(isBatchFirst ? [batch, count, units] : [count, batch, units])
        let expected: [(index: Int, shape: Shape)] = [
            (1, [count, gates * units, x.shape[2]]), (2, [count, gates * units, units]),
            (3, [count, 2 * gates * units]),
            (4, [batch]), (5, state), (6, state), (7, [count, 3 * units]),
        ]
        for (index, shape) in expected {
            guard let input = node.optional(inputs, index), input.type.shape != shape else { continue }
            throw GraphError(
                .shapeMismatch, at: node, tensor: input.name, expected: "\(shape)", found: "\(input.type.shape)")
        }
        guard hidden == 0 || hidden == units else {
            throw GraphError(.invalidAttribute, at: node, expected: "hidden_size \(units)", found: "\(hidden)")
        }
        let outputs = Shape(isBatchFirst ? [batch, length, count, units] : [length, count, batch, units])
        let types = [ValueType(x.elementType, outputs), ValueType(x.elementType, state)]
        return node.opType == "LSTM" ? types + [types[1]] : types
    }
}

/// A function that a recurrent cell applies to its gates or states.
enum RecurrentActivation: Sendable, Equatable {
    case function(ElementwiseUnary.Function)
    /// alpha * x + beta
    case affine(alpha: Float, beta: Float)
    /// alpha * tanh(beta * x)
    case scaledTanh(alpha: Float, beta: Float)

    /// Takes its parameters from the lists, those that it has; by default those of the ONNX operators of its name.
    init?(_ name: String, _ alphas: inout [Float], _ betas: inout [Float]) {
        func next(_ list: inout [Float], default value: Float) -> Float { list.isEmpty ? value : list.removeFirst() }
        switch name.lowercased() {
        case "relu": self = .function(.relu)
        case "tanh": self = .function(.tanh)
        case "sigmoid": self = .function(.sigmoid)
        case "softsign": self = .function(.softsign)
        case "softplus": self = .function(.softplus)
        case "leakyrelu": self = .function(.leakyRelu(alpha: next(&alphas, default: 0.01)))
        case "thresholdedrelu": self = .function(.thresholdedRelu(alpha: next(&alphas, default: 1)))
        case "elu": self = .function(.elu(alpha: next(&alphas, default: 1)))
        case "hardsigmoid":
            let alpha = next(&alphas, default: 0.2)
            self = .function(.hardSigmoid(alpha: alpha, beta: next(&betas, default: 0.5)))
        case "affine":
            let alpha = next(&alphas, default: 1)
            self = .affine(alpha: alpha, beta: next(&betas, default: 0))
        case "scaledtanh":
            let alpha = next(&alphas, default: 1)
            self = .scaledTanh(alpha: alpha, beta: next(&betas, default: 1))
        default: return nil
        }
    }

    func value(_ x: Double) -> Double {
        switch self {
        case .function(let function): function.value(x)
        case .affine(let alpha, let beta): Double(alpha) * x + Double(beta)
        case .scaledTanh(let alpha, let beta): Double(alpha) * ElementwiseUnary.Function.tanh.value(Double(beta) * x)
        }
    }
}
