import Nodes
import Operators
import TensorFunctions
import Tensors

extension GridSampling: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        [sampler.sample(inputs.constants[0], at: inputs.constants[1], shape: types[0].shape)]
    }
}

extension AffineGrid: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let theta = inputs.constants[0].converted(to: .float64).elements(as: Double.self)
        let shape = types[0].shape
        let axes = shape[shape.rank - 1]
        let extents = Shape(Array(shape.dimensions.dropFirst().dropLast()))
        // Along each axis the places of the elements in -1...1; of a single element in the middle.
        let places = extents.dimensions.map { extent in
            (0..<extent).map { index in
                let (index, count) = (Double(index), Double(extent))
                if alignsCorners { return extent == 1 ? 0 : 2 * index / (count - 1) - 1 }
                return (2 * index + 1) / count - 1
            }
        }
        var grid: [Double] = []
        grid.reserveCapacity(shape.count)
        for sample in 0..<shape[0] {
            extents.forEachPosition { position in
                for row in 0..<axes {
                    let start = (sample * axes + row) * (axes + 1)
                    var sum = theta[start + axes]
                    // Maps and places name the last axis first.
                    for column in 0..<axes {
                        sum += theta[start + column] * places[axes - 1 - column][position[axes - 1 - column]]
                    }
                    grid.append(sum)
                }
            }
        }
        return [Tensor(shape: shape, grid).converted(to: types[0].elementType)]
    }
}
