import Nodes
import Operators
import TensorFunctions
import Tensors

// Sums of products: in double precision for floating-point types, exactly, as far as the type holds them, for integers.

extension MatrixProduct: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let (left, right) = (inputs.constants[0], inputs.constants[1])
        func compute<Number: ProductNumber>(_ number: Number.Type) -> Tensor {
            Tensor(
                shape: types[0].shape,
                matrixProduct(
                    left.factors(number), left.shape, right.factors(number), right.shape, shape: types[0].shape))
        }
        return [compute(types[0].elementType.productNumber).converted(to: types[0].elementType)]
    }
}

extension GeneralMatrixProduct: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        func turned(_ tensor: Tensor, _ isTurned: Bool) -> Tensor {
            guard isTurned else { return tensor }
            let shape = tensor.shape
            return tensor.rearranged(shape: [shape[1], shape[0]], strides: [1, shape[1]])
        }
        let (left, right) = (turned(inputs.constants[0], transposesA), turned(inputs.constants[1], transposesB))
        let (shape, type) = (types[0].shape, types[0].elementType)
        func compute<Number: ProductNumber>(_ number: Number.Type) -> Tensor {
            Tensor(
                shape: shape,
                matrixProduct(left.factors(number), left.shape, right.factors(number), right.shape, shape: shape))
        }
        let product = compute(type.productNumber)
        let added = inputs.count > 2 ? inputs[2]?.constant?.broadcast(to: shape) : nil
        if !type.isFloatingPoint, alpha == 1, beta == 1 {
            let addends = added?.factors(Int64.self)
            let sums = product.elements(as: Int64.self).enumerated().map { $1 &+ (addends?[$0] ?? 0) }
            return [Tensor(shape: shape, sums).converted(to: type)]
        }
        let addends = added?.factors(Double.self)
        let sums = product.factors(Double.self).enumerated().map { index, value in
            Double(alpha) * value + (addends.map { Double(beta) * $0[index] } ?? 0)
        }
        return [Tensor(shape: shape, sums).converted(to: type)]
    }
}

extension Convolution: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let (data, weight) = (inputs.constants[0], inputs.constants[1])
        let (image, kernel) = (Array(data.shape.dimensions[2...]), Array(weight.shape.dimensions[2...]))
        let convolution = DirectConvolution(
            input: data.shape, weight: weight.shape, output: types[0].shape, groups: groups,
            strides: image.indices.map(window.stride), dilations: image.indices.map(window.dilation),
            begin: window.resolvedPadding(input: image, kernel: kernel).begin)
        let bias = inputs.count > 2 ? inputs[2]?.constant : nil
        let places = types[0].shape.dimensions[2...].reduce(1, *)
        func compute<Number: ProductNumber>(_ number: Number.Type, _ one: Number) -> Tensor {
            var sums = convolution.values(data.factors(number), weight.factors(number))
            if let addends = bias?.factors(number) {
                for index in sums.indices {
                    sums[index] = sums[index].adding(addends[index / places % addends.count], times: one)
                }
            }
            return Tensor(shape: types[0].shape, sums)
        }
        let type = types[0].elementType
        return [(type.isFloatingPoint ? compute(Double.self, 1) : compute(Int64.self, 1)).converted(to: type)]
    }
}
