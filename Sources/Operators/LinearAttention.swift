import Nodes
import Tensors

/// LinearAttention: each head keeps a matrix, which every position's key and value change and its query reads.
///
/// Inputs: query [batch, length, heads * size], key [batch, length, groups * size], value [batch, length, groups * width]; optional
/// state [batch, groups, size, width], decay [batch, length, groups or groups * size], rate [batch, length, groups or 1]. Outputs:
/// [batch, length, heads * width] and the last state. Equally many neighbouring heads share a group.
public struct LinearAttention: Operator {
    public static let opTypes = ["LinearAttention"]

    package let node: Node
    /// Whether states decay, and whether what a state has for a key already is taken off the value.
    package let decays, corrects: Bool
    package let heads, groups: Int
    private let scale: Float

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 3...6, outputs: 2)
        var attributes = AttributeReader(node)
        let rule = try attributes.string("update_rule") ?? "gated_delta"
        let rules = [
            "linear": (false, false), "gated": (true, false), "delta": (false, true), "gated_delta": (true, true),
        ]
        guard let (decays, corrects) = rules[rule] else {
            throw GraphError(
                .invalidAttribute, at: node, expected: "update_rule \(rules.keys.sorted().joined(separator: ", "))",
                found: rule)
        }
        (self.decays, self.corrects) = (decays, corrects)
        heads = try attributes.int("q_num_heads", default: 0)
        groups = try attributes.int("kv_num_heads", default: 0)
        scale = try attributes.float("scale", default: 0)
        attributes.ignore("chunk_size")
        try attributes.finish()
        guard groups > 0, heads > 0, heads % groups == 0 else {
            throw GraphError(
                .invalidAttribute, at: node, expected: "q_num_heads a multiple of kv_num_heads",
                found: "\(heads) and \(groups)")
        }
        self.node = node
    }

    /// What outputs are multiplied by.
    /// - Parameter size: elements of a key.
    package func scale(size: Int) -> Double { scale == 0 ? 1 / Double(max(size, 1)).squareRoot() : Double(scale) }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let query = try node.input(inputs, 0, rank: 3...3)
        let (key, value) = (try node.input(inputs, 1, rank: 3...3), try node.input(inputs, 2, rank: 3...3))
        let (batch, length) = (query.type.shape[0], query.type.shape[1])
        let (size, width) = (query.type.shape[2] / heads, value.type.shape[2] / groups)
        func check(_ input: OperatorInput, _ expected: [Shape]) throws {
            guard !expected.contains(input.type.shape) else { return }
            throw GraphError(
                .shapeMismatch, at: node, tensor: input.name,
                expected: expected.map(\.description).joined(separator: " or "), found: "\(input.type.shape)")
        }
        try check(query, [[batch, length, heads * size]])
        try check(key, [[batch, length, groups * size]])
        try check(value, [[batch, length, groups * width]])
        if let state = node.optional(inputs, 3) { try check(state, [[batch, groups, size, width]]) }
        for (index, isTaken, shapes) in [
            (4, decays, [[batch, length, groups], [batch, length, groups * size]] as [Shape]),
            (5, corrects, [[batch, length, groups], [batch, length, 1]]),
        ] {
            let given = node.optional(inputs, index)
            guard (given != nil) == isTaken else {
                throw GraphError(
                    .invalidInput, at: node, tensor: given?.name,
                    expected: "\(isTaken ? "" : "no ")\(index == 4 ? "decay" : "beta") for its update_rule",
                    found: isTaken ? "none" : "one")
            }
            if let given { try check(given, shapes) }
        }
        let stateType = node.optional(inputs, 3)?.type.elementType ?? query.type.elementType
        return [
            ValueType(query.type.elementType, [batch, length, heads * width]),
            ValueType(stateType, [batch, groups, size, width]),
        ]
    }
}
