import Definitions
import Derivatives
import Graph
import Operators

/// What this module can compute.
public enum ExecutionSupport {
    /// - Throws: `GraphError(.unsupportedOperators)` listing every op type of the graph that cannot be computed.
    public static func check(_ graph: SpecializedGraph) throws {
        let missing = Set(
            graph.steps.filter {
                !($0.operator is any ExecutableOperator) && !($0.operator is any EvaluatedOperator)
            }.map(\.node.opType))
        guard missing.isEmpty else {
            throw GraphError(.unsupportedOperators, found: missing.sorted().joined(separator: ", "))
        }
    }

    /// Whether an op type has a gradient in some of its forms, and not only zero ones.
    package static func hasGradient(_ opType: String) -> Bool {
        let rule = KnownOperators.rule(of: opType)
        return rule is any DifferentiableOperator.Type || rule is any DifferentiableDefinition.Type
    }

    /// Refuses inputs of other types than float32, before an operator that takes one complains of something else.
    /// - Throws: `GraphError(.unsupportedElementType)` naming the first such input, a node that takes it, and the others.
    public static func checkInputs(of graph: Graph) throws {
        let others = graph.inputs.filter { $0.elementType != .float32 }
        guard let first = others.first else { return }
        let user = graph.nodes.first { $0.inputs.contains(first.name) }
        let further = others.dropFirst().map { ", as well as \($0.name) of \($0.elementType.rawValue)" }.joined()
        throw GraphError(
            .unsupportedElementType, node: user?.name, opType: user?.opType, tensor: first.name,
            expected: "model inputs of float32", found: "an input of \(first.elementType.rawValue)\(further)")
    }
}
