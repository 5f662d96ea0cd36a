import Nodes
import Operators
import TensorFunctions
import Tensors

extension Cast: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        [inputs.constants[0].converted(to: target)]
    }
}

extension CastLike: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        [inputs.constants[0].converted(to: types[0].elementType)]
    }
}

extension BitCast: EvaluatedOperator {
    package var widensHalves: Bool { false }

    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let data = inputs.constants[0]
        return [Tensor(shape: data.shape, elementType: target, storage: data.borrowed)]
    }
}
