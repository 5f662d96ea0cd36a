import Nodes
import Operators
import TensorFunctions
import Tensors

/// An operator that is defined over tensors here, of any of the types that it takes: for inputs that are constants, and for
/// plans that have no primitive for it.
package protocol EvaluatedOperator: Operator {
    /// Whether the inputs' values are needed, not their types alone.
    var needsValues: Bool { get }

    /// Whether values of half precision are computed in single precision; not where bits matter.
    var widensHalves: Bool { get }

    /// The outputs' values; nil where the operator is not defined here for these types.
    /// - Parameters:
    ///   - inputs: all with `constant` if `needsValues`
    ///   - types: what `outputTypes` gave
    /// - Throws: `GraphError` for values that the operator does not take.
    func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]?
}

extension EvaluatedOperator {
    package var needsValues: Bool { true }
    package var widensHalves: Bool { true }

    /// The outputs' values; those of half precision are computed in single precision, and rounded once.
    /// - Returns: nil where the operator is not defined here for these types.
    package func values(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        func isHalf(_ type: ElementType) -> Bool { type == .float16 || type == .bfloat16 }
        guard widensHalves,
            (inputs.compactMap { $0?.type.elementType } + types.map(\.elementType)).contains(where: isHalf)
        else {
            return try evaluate(inputs: inputs, types: types)
        }
        let wide = inputs.map { input in
            input.map { input in
                guard isHalf(input.type.elementType) else { return input }
                return OperatorInput(
                    name: input.name, type: ValueType(.float32, input.type.shape),
                    constant: input.constant?.converted(to: .float32))
            }
        }
        let wideTypes = types.map { isHalf($0.elementType) ? ValueType(.float32, $0.shape) : $0 }
        return try evaluate(inputs: wide, types: wideTypes).map { values in
            zip(values, types).map { $0.converted(to: $1.elementType) }
        }
    }
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
