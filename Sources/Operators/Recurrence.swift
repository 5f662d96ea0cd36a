import Nodes
import TensorFunctions
import Tensors

/// LSTM, GRU and RNN: cells that run along a sequence, forwards, backwards or both.
///
/// Inputs: X [length, batch, features], W [directions, gates * hidden, features], R [directions, gates * hidden, hidden]; optional
/// B [directions, 2 * gates * hidden], lengths [batch], initial h [directions, batch, hidden], and of LSTM initial c and P
/// [directions, 3 * hidden]. Outputs: Y [length, directions, batch, hidden], the last h, and of LSTM the last c. With layout 1 the
/// batch comes first in X, Y and the states.
public struct Recurrence: Operator {
    public static let opTypes = ["LSTM", "GRU", "RNN"]

    package let node: Node
    let hidden: Int
    /// Of each direction: whether it runs backwards.
    package let directions: [Bool]
    /// Of each direction: the functions of its gates, then those of its states.
    package let activations: [[RecurrentActivation]]
    /// What enters an activation is limited to this; nil where it is not.
    package let clip: Float?
    package let isBatchFirst: Bool
    /// How gates and state make the next state.
    package let kind: RecurrentCells.Kind

    /// Rows of W for each hidden unit.
    package var gates: Int { kind.gates }

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
        switch node.opType {
        case "LSTM": kind = .lstm(couplesGates: try attributes.flag("input_forget"))
        case "GRU": kind = .gru(resetsAfterProduct: try attributes.flag("linear_before_reset"))
        default: kind = .plain
        }
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
