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
}
