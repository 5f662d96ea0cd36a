import Nodes
import Tensors

/// If: one of two graphs, as a condition says that is known before the samples, or was computed from them.
public struct Branch: ExpandedOperator {
    public static let opTypes = ["If"]

    package let node: Node
    private let thenBranch, elseBranch: Subgraph

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1, outputs: Int.max, needsFirst: false)
        var attributes = AttributeReader(node)
        thenBranch = try attributes.graph("then_branch")
        elseBranch = try attributes.graph("else_branch")
        try attributes.finish()
        for branch in [thenBranch, elseBranch]
        where branch.outputs.count != node.outputs.count || !branch.inputs.isEmpty {
            throw GraphError(
                .invalidAttribute, at: node, expected: "branches without inputs, with \(node.outputs.count) outputs",
                found: "\(branch.inputs.count) inputs and \(branch.outputs.count) outputs")
        }
        self.node = node
    }

    package func expansion(_ inputs: [ExpandedInput?], in scope: inout ExpansionScope) throws -> Expansion {
        guard let condition = try node.known(inputs, 0), let holds = condition.truth else {
            throw GraphError(
                .invalidInput, at: node, tensor: node.inputs[0], expected: "one boolean", found: "other elements")
        }
        var expansion = Expansion()
        let results = expansion.add(holds ? thenBranch : elseBranch, [], in: &scope)
        for (result, output) in zip(results, node.outputs) { expansion.pass(result, as: output, in: &scope) }
        return expansion
    }
}

extension Tensor {
    /// The one element of a tensor of booleans.
    var truth: Bool? { elementType == .bool && count == 1 ? withUnsafeBytes { $0[0] != 0 } : nil }
}
