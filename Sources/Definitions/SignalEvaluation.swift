import Nodes
import Operators
import TensorFunctions
import Tensors

extension WindowFunction: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        [Tensor(shape: types[0].shape, try weights(inputs: inputs)).converted(to: types[0].elementType)]
    }
}

extension MelWeightMatrix: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        [Tensor(shape: types[0].shape, try weights(inputs: inputs)).converted(to: types[0].elementType)]
    }
}

extension SequenceCounts: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let data = inputs.constants[0]
        let items = try node.constantInts(inputs, 0) ?? []
        let extent = data.shape.rank == 0 ? 1 : data.shape[data.shape.rank - 1]
        let rows = extent == 0 ? [] : stride(from: 0, to: items.count, by: extent).map { items[$0..<$0 + extent] }
        let values = rows.flatMap { pool.values(of: Array($0)) }
        // Empty rows have nothing.
        return [
            Tensor(shape: types[0].shape, extent == 0 ? [Float](repeating: 0, count: types[0].shape.count) : values)
        ]
    }
}
