import Nodes
import Operators
import TensorFunctions
import Tensors

// Operators whose outputs have extents that depend on elements.

extension UniqueElements: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        try values(inputs: inputs)
    }
}

extension NonZeroPlaces: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        [try value(inputs: inputs)]
    }
}

extension NonMaximumSuppression: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        [try value(inputs: inputs)]
    }
}

extension Compression: PickingRule {
    package func sources(inputs: [OperatorInput?], types: [ValueType]) throws -> [Int] {
        let taken = try taken(inputs: inputs)
        guard let axis else { return taken }
        let shape = try node.input(inputs, 0).type.shape
        let place = try node.resolveAxis(axis, rank: shape.rank)
        let (rows, kept) = (AxisRows(shape, axis: place), AxisRows(types[0].shape, axis: place))
        var sources = [Int](repeating: 0, count: types[0].shape.count)
        for (index, from) in taken.enumerated() {
            for row in 0..<kept.count { sources[kept.place(row: row, index)] = rows.place(row: row, from) }
        }
        return sources
    }
}
