import Nodes
import Operators
import TensorFunctions
import Tensors

extension ColumnsToImage: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let (data, shape) = (inputs.constants[0], types[0].shape)
        let places = try places(inputs: inputs)
        let elements = data.converted(to: .float64).elements(as: Double.self)
        var sums = [Double](repeating: 0, count: shape.count)
        let plane = shape.dimensions.dropFirst(2).reduce(1, *)
        for channel in 0..<shape[0] * shape[1] {
            for (index, place) in places.enumerated() {
                if let place { sums[channel * plane + place] += elements[channel * places.count + index] }
            }
        }
        return [Tensor(shape: shape, sums).converted(to: types[0].elementType)]
    }

    /// Where in the image each element of each block is, in the order of the input's last two axes; nil in the padding.
    package func places(inputs: [OperatorInput?]) throws -> [Int?] {
        let (image, window) = try layout(inputs: inputs)
        let block = window.kernel ?? []
        let counts = Shape(window.outputExtents(input: image, kernel: block))
        let begin = window.resolvedPadding(input: image, kernel: block).begin
        let strides = Shape(image).strides
        var places: [Int?] = []
        places.reserveCapacity(block.reduce(1, *) * counts.count)
        Shape(block).forEachPosition { element in
            counts.forEachPosition { column in
                var place: Int? = 0
                for axis in image.indices {
                    let index =
                        column[axis] * window.stride(axis) + element[axis] * window.dilation(axis) - begin[axis]
                    place = 0..<image[axis] ~= index ? place.map { $0 + index * strides[axis] } : nil
                }
                places.append(place)
            }
        }
        return places
    }
}

extension CenterCropPad: PickingRule {
    package func sources(inputs: [OperatorInput?], types: [ValueType]) throws -> [Int] {
        let (input, output) = (try node.input(inputs, 0).type.shape, types[0].shape)
        // What is cropped or added in front: half of it, cut to a whole number.
        let shifts = zip(input.dimensions, output.dimensions).map { $0 > $1 ? ($0 - $1) / 2 : -(($1 - $0) / 2) }
        let strides = input.strides
        var sources: [Int] = []
        sources.reserveCapacity(output.count)
        output.forEachPosition { position in
            var source = 0
            for axis in position.indices where source >= 0 {
                let index = position[axis] + shifts[axis]
                source = 0..<input[axis] ~= index ? source + index * strides[axis] : -1
            }
            sources.append(source)
        }
        return sources
    }
}

extension Determinant: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let data = inputs.constants[0].converted(to: .float64)
        let size = data.shape[data.shape.rank - 1]
        let elements = data.elements(as: Double.self)
        let values = (0..<types[0].shape.count).map { index in
            determinant(elements[index * size * size..<(index + 1) * size * size], size: size)
        }
        return [Tensor(shape: types[0].shape, values).converted(to: types[0].elementType)]
    }
}
