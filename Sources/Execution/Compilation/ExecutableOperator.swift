import Graph
import Nodes
import Operators
import Primitives

/// An operator and what is fused behind it: the smallest thing that is compiled.
package struct Unit {
    /// The first node, whose operator is compiled.
    package var node: Node
    var `operator`: any Operator
    /// The values that the unit defines: the node's outputs, or the last follower's where something is fused.
    package var outputs: [String]
    /// What is done to each element before it is stored, in order.
    package var post: [PostOperation] = []
    /// The value that a fused addition adds (`post` holds `.sum`).
    package var addend: String?

    /// Every value that the unit reads, one entry per use.
    var inputs: [String] { node.inputs.filter { !$0.isEmpty } + (addend.map { [$0] } ?? []) }
}

/// An operator that can be compiled. Conforming is all that makes an operator known to this module; the conformances stand
/// in Operators, each with its gradient.
protocol ExecutableOperator: Operator {
    /// Inputs that are taken as they are, of other types than float32: conditions, lengths, indices.
    var typedInputs: Set<Int> { get }

    /// Whether it is compiled in this form; otherwise it is computed by its definition.
    func isExecutable(_ unit: Unit, in graph: SpecializedGraph) -> Bool

    /// Emits what computes the unit's outputs, and defines them.
    /// - Throws: `ExecutionError` for a form that is not computed; the builder names the node.
    func build(_ unit: Unit, in plan: PlanBuilder) throws
}

extension ExecutableOperator {
    var typedInputs: Set<Int> { [] }

    func isExecutable(_ unit: Unit, in graph: SpecializedGraph) -> Bool { true }
}

/// An operator whose gradient can be compiled.
protocol DifferentiableOperator: ExecutableOperator {
    /// Whether the gradient reads the unit's first output as the unit computed it.
    func gradientReadsOutput(_ unit: Unit, in graph: SpecializedGraph) -> Bool

    /// Emits what computes the gradients of the unit's inputs.
    /// - Parameter outputs: the gradient of each output, of the output's shape in any layout; nil where it is zero. At least
    ///   one is there.
    /// - Returns: one entry per node input, of the input's shape in any layout; nil where the gradient is zero or not needed.
    ///   An entry may be the memory of an output's gradient.
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?]
}

extension DifferentiableOperator {
    func gradientReadsOutput(_ unit: Unit, in graph: SpecializedGraph) -> Bool { false }
}

/// An operator whose primitive applies post-operations as it stores its output.
protocol PostOperable: Operator {
    /// Whether an addition may be fused too, not only functions of one element.
    var fusesAddition: Bool { get }
}

/// An operator that may be a function of one element, and then be fused behind another.
protocol ElementFunction: Operator {
    /// The function as a primitive applies it; nil where it can't, or where the inputs do not fit.
    /// - Parameter inputs: of the node, constants with their values.
    func postOperation(inputs: [OperatorInput?]) -> PostOperation?
}
