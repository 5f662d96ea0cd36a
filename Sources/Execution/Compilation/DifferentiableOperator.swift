import Graph

/// An operator whose gradient can be compiled. Each conformance is in Gradients, in a file of the operator's name.
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
