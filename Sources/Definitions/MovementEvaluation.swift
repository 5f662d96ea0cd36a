import Nodes
import Operators
import TensorFunctions
import Tensors

// Operators that move elements without looking at them.

extension Reshaping: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        [inputs.constants[0].reshaped(types[0].shape)]
    }
}

extension Transpose: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let input = inputs.constants[0]
        let strides = input.shape.strides
        return [input.rearranged(shape: types[0].shape, strides: resolved(rank: input.shape.rank).map { strides[$0] })]
    }
}

extension Slice: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let input = inputs.constants[0]
        let ranges = try ranges(inputs: inputs)
        let strides = input.shape.strides
        return [
            input.rearranged(
                shape: types[0].shape, strides: zip(strides, ranges).map { $0 * $1.step },
                offset: zip(strides, ranges).reduce(0) { $0 + $1.0 * $1.1.start })
        ]
    }
}

extension Split: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let input = inputs.constants[0]
        let axis = resolvedAxis(rank: input.shape.rank)
        let strides = input.shape.strides
        var start = 0
        return types.map { type in
            defer { start += type.shape[axis] }
            return input.rearranged(shape: type.shape, strides: strides, offset: start * strides[axis])
        }
    }
}

extension Concat: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        [
            Tensor.concatenated(
                inputs.constants, axis: resolvedAxis(rank: types[0].shape.rank), elementType: types[0].elementType,
                shape: types[0].shape)
        ]
    }
}

extension Gather: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let data = inputs.constants[0]
        let axis = resolvedAxis(rank: data.shape.rank)
        let strides = data.shape.strides
        var extents = data.shape.dimensions
        extents[axis] = 1
        let entries = try indices(inputs: inputs).map { index in
            data.rearranged(shape: Shape(extents), strides: strides, offset: index * strides[axis])
        }
        extents[axis] = entries.count
        let joined = Tensor.concatenated(
            entries, axis: axis, elementType: data.elementType, shape: Shape(extents))
        return [joined.reshaped(types[0].shape)]
    }
}

extension Expand: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        [inputs.constants[0].broadcast(to: types[0].shape)]
    }
}

extension Tile: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        // Every axis becomes two: which repetition, and the position within.
        let input = inputs.constants[0]
        let repeats = try repeats(inputs: inputs)
        let pairs = zip(repeats, input.shape.dimensions).flatMap { [$0, $1] }
        let repeated = input.rearranged(shape: Shape(pairs), strides: input.shape.strides.flatMap { [0, $0] })
        return [repeated.reshaped(types[0].shape)]
    }
}

extension Selection: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let type = types[0]
        let operands = inputs.constants.map { $0.broadcast(to: type.shape) }
        let size = type.elementType.size
        let storage = TensorStorage(byteCount: type.shape.count * size) { target in
            operands[0].withUnsafeBytes { condition in
                operands[1].withUnsafeBytes { left in
                    operands[2].withUnsafeBytes { right in
                        for index in 0..<type.shape.count {
                            let source = condition[index] != 0 ? left : right
                            for byte in index * size..<(index + 1) * size { target[byte] = source[byte] }
                        }
                    }
                }
            }
        }
        return [Tensor(shape: type.shape, elementType: type.elementType, storage: storage)]
    }
}
