import Nodes
import TensorFunctions
import Tensors

/// Loop: a graph that is computed again and again, with what it gave the time before. It is expanded a turn at a time, into the
/// turn's nodes and a Loop for the rest: the condition for the next turn may have to be computed first.
public struct Loop: ExpandedOperator {
    public static let opTypes = ["Loop"]

    /// A loop of more turns is refused: each is nodes of its own.
    private static let maximumTurns = 10_000
    // Attributes of the Loop that is left after some turns; no file has them.
    private static let turnAttribute = "turns computed"
    private static let stackedAttribute = "values stacked"

    package let node: Node
    private let body: Subgraph
    private let opsetVersion: Int
    /// Turns that are computed already.
    private let turn: Int
    /// How many values are carried from turn to turn.
    private let carried: Int
    /// Of each further output, the values of the turns before, which are inputs behind those that are carried.
    private let stacked: [Int]

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 0...Int.max, outputs: Int.max, needsFirst: false)
        var attributes = AttributeReader(node)
        body = try attributes.graph("body")
        turn = try attributes.int(Self.turnAttribute, default: 0)
        let counts = try attributes.ints(Self.stackedAttribute)
        try attributes.finish()
        carried = body.inputs.count - 2
        let further = body.outputs.count - 1 - carried
        guard carried >= 0, further >= 0, node.outputs.count == carried + further,
            counts?.count ?? further == further, counts?.allSatisfy({ $0 >= 0 }) ?? true,
            node.inputs.count == max(2, carried + 2) + (counts?.reduce(0, &+) ?? 0)
                || carried == 0 && node.inputs.count < 2
        else {
            throw GraphError(
                .invalidAttribute, at: node,
                expected: "a body with two inputs more than the loop carries, and one output more than the loop has",
                found: "\(body.inputs.count) inputs and \(body.outputs.count) outputs")
        }
        stacked = counts ?? [Int](repeating: 0, count: further)
        self.node = node
        self.opsetVersion = opsetVersion
    }

    package func expansion(_ inputs: [ExpandedInput?], in scope: inout ExpansionScope) throws -> Expansion {
        var expansion = Expansion()
        guard try runs(inputs) else {
            for index in 0..<carried { expansion.pass(node.inputs[2 + index], as: node.outputs[index], in: &scope) }
            for (index, output) in node.outputs[carried...].enumerated() where !output.isEmpty {
                guard !stackedValues(index).isEmpty else {
                    throw GraphError(
                        .shapeMismatch, at: node, tensor: output, expected: "at least one turn, which tells the shape",
                        found: "none")
                }
                expansion.concatenate(stackedValues(index), axis: 0, as: output, in: &scope)
            }
            return expansion
        }
        guard turn < Self.maximumTurns else {
            throw GraphError(
                .unsupportedOperators, at: node, expected: "at most \(Self.maximumTurns) turns", found: "more")
        }
        var part = scope.part("\(turn)")
        let number = expansion.add(Tensor(scalar: Int64(turn)), in: &part)
        var condition = node.inputs.count > 1 ? node.inputs[1] : ""
        if condition.isEmpty { condition = expansion.add(Tensor(shape: [], [true]), in: &part) }
        let given = node.inputs.count > 2 ? Array(node.inputs[2..<2 + carried]) : []
        let results = expansion.add(body, [number, condition] + given, in: &part)

        var rest = node
        rest.inputs = [node.inputs.first ?? "", results[0]] + results[1..<1 + carried]
        for (index, output) in node.outputs[carried...].enumerated() where !output.isEmpty {
            let value = results[1 + carried + index]
            rest.inputs += stackedValues(index)
            rest.inputs.append(expansion.unsqueezed(value, axis: 0, opsetVersion: opsetVersion, in: &part))
        }
        rest.attributes[Self.turnAttribute] = .int(turn + 1)
        rest.attributes[Self.stackedAttribute] = .ints(
            zip(stacked, node.outputs[carried...]).map { $1.isEmpty ? 0 : $0 + 1 })
        expansion.nodes.append(rest)
        return expansion
    }

    /// Whether there is another turn.
    private func runs(_ inputs: [ExpandedInput?]) throws -> Bool {
        if let limit = try node.known(inputs, 0) {
            guard limit.elementType == .int64, limit.count == 1 else {
                throw GraphError(
                    .invalidInput, at: node, tensor: node.inputs[0], expected: "one int64", found: "other elements")
            }
            guard turn < limit.elements(as: Int64.self)[0] else { return false }
        }
        guard let condition = try node.known(inputs, 1) else { return true }
        guard let holds = condition.truth else {
            throw GraphError(
                .invalidInput, at: node, tensor: node.inputs[1], expected: "one boolean", found: "other elements")
        }
        return holds
    }

    private func stackedValues(_ index: Int) -> [String] {
        let start = 2 + carried + stacked[..<index].reduce(0, +)
        return Array(node.inputs.dropFirst(start).prefix(stacked[index]))
    }
}
