import Definitions
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
}
