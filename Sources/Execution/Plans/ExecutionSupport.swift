import Definitions
import Derivatives
import Graph
import Nodes
import Operators

/// What this module can compute.
public enum ExecutionSupport {
    /// How an operator is computed.
    public struct Entry: Codable, Sendable {
        /// How values are computed.
        public enum Forward: String, Codable, Sendable {
            /// Of float32 by a kernel, of other types not at all.
            case kernel
            /// Of float32 by a kernel, of other types by the definition.
            case kernelOrDefinition = "kernel or definition"
            case definition
            /// As other operators.
            case composition
        }

        /// ONNX op type.
        public var `operator`: String
        /// Empty for the default one.
        public var domain: String
        public var forward: Forward
        /// Whether it has a gradient, of float32.
        public var gradient: Bool
    }

    /// All operators that are known, by name.
    public static var catalogue: [Entry] {
        KnownOperators.types.sorted { $0.key < $1.key }.compactMap { name, type in
            let parts = name.split(separator: ".")
            let isExecutable = type is any ExecutableOperator.Type
            let isEvaluated = type is any EvaluatedOperator.Type
            let composed = type as? any ComposedOperator.Type
            let forward: Entry.Forward
            switch (isExecutable, isEvaluated) {
            case (true, true): forward = .kernelOrDefinition
            case (true, false): forward = .kernel
            case (false, true): forward = .definition
            case (false, false): forward = .composition
            }
            return Entry(
                operator: String(parts[parts.count - 1]), domain: parts.dropLast().joined(separator: "."),
                forward: forward,
                gradient: hasGradient(type) || forward == .composition && composed?.isDifferentiable == true)
        }
    }

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

    /// In some of its forms.
    private static func hasGradient(_ type: any Operator.Type) -> Bool {
        type is any DifferentiableOperator.Type || type is any DifferentiableDefinition.Type
    }
}
