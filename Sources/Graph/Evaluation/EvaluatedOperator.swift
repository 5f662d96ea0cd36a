import TensorFunctions
import Tensors

/// An operator that is defined over tensors here, of any of the types that it takes: for inputs that are constants, and for
/// plans that have no primitive for it.
package protocol EvaluatedOperator: Operator {
    /// Whether the inputs' values are needed, not their types alone.
    var needsValues: Bool { get }

    /// The outputs' values; nil where the operator is not defined here for these types.
    /// - Parameters:
    ///   - inputs: all with `constant` if `needsValues`
    ///   - types: what `outputTypes` gave
    /// - Throws: `GraphError` for values that the operator does not take.
    func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]?
}

extension EvaluatedOperator {
    package var needsValues: Bool { true }
}

extension [OperatorInput?] {
    /// The constants; only for operators that need values.
    var constants: [Tensor] { compactMap { $0?.constant } }
}

extension ShapeQuery: EvaluatedOperator {
    package var needsValues: Bool { false }

    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        [value(of: try node.input(inputs, 0).type.shape)]
    }
}

extension ConstantValue: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? { [value] }
}

extension NumberRange: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        [try value(inputs: inputs)]
    }
}

extension FilledConstant: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        [value.rearranged(shape: types[0].shape, strides: types[0].shape.dimensions.map { _ in 0 })]
    }
}
