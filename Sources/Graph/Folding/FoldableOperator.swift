import Tensors

/// An operator that can be computed at specialization, where its inputs are constants.
protocol FoldableOperator: Operator {
    /// Whether the inputs' values are needed, not their types alone.
    var needsValues: Bool { get }

    /// The outputs' values; nil where they are not computed here and the node is left to be executed.
    /// - Parameters:
    ///   - inputs: all with `constant` if `needsValues`
    ///   - types: what `outputTypes` gave
    func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]?
}

extension FoldableOperator {
    var needsValues: Bool { true }
}

/// An operator that is never executed on samples.
protocol ConstantOnlyOperator: FoldableOperator {}

extension [OperatorInput?] {
    /// The constants; only for operators that need values.
    var constants: [Tensor] { compactMap { $0?.constant } }
}

extension ShapeQuery: ConstantOnlyOperator {
    var needsValues: Bool { false }

    func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        [value(of: try node.input(inputs, 0).type.shape)]
    }
}

extension ConstantValue: ConstantOnlyOperator {
    func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? { [value] }
}

extension NumberRange: ConstantOnlyOperator {
    func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        [try value(inputs: inputs)]
    }
}

extension FilledConstant: ConstantOnlyOperator {
    func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        [value.rearranged(shape: types[0].shape, strides: types[0].shape.dimensions.map { _ in 0 })]
    }
}
