import Nodes
import Operators
import TensorFunctions
import Tensors

extension LinearQuantization: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        guard let data = inputs[0]?.constant else { return nil }
        if isDynamic { return dynamic(data) }
        guard let scale = inputs[1]?.constant, let which = scales(scale.shape, over: data.shape) else { return nil }
        let scales = scale.floats
        let given = inputs.count > 2 ? inputs[2]?.constant : nil
        if isBackward {
            // Differences of integers are exact; the product is rounded once.
            let zeros = given?.converted(to: .float64).elements(as: Double.self)
            let numbers = data.converted(to: .float64).elements(as: Double.self).enumerated().map { index, number in
                Float(number - (zeros?[which(index)] ?? 0)) * scales[which(index)]
            }
            return [Tensor(shape: data.shape, numbers).converted(to: types[0].elementType)]
        }
        let zeros = given?.converted(to: .float64).elements(as: Double.self)
        guard let range = types[0].elementType.integerRange else { return nil }
        let numbers = data.floats.enumerated().map { index, number in
            let quotient = Double((number / scales[which(index)]).rounded(.toNearestOrEven))
            return min(max(quotient + (zeros?[which(index)] ?? 0), range.lowerBound), range.upperBound)
        }
        return [Tensor(shape: data.shape, numbers).converted(to: types[0].elementType)]
    }

    /// To 8 bits over the range of the data and zero, as the ONNX specification has it.
    private func dynamic(_ data: Tensor) -> [Tensor] {
        let numbers = data.floats
        let (low, high) = (min(numbers.min() ?? 0, 0), max(numbers.max() ?? 0, 0))
        let scale = (high - low) / 255
        let zero = scale == 0 ? 0 : min(max((-low / scale).rounded(.toNearestOrEven), 0), 255)
        let integers = numbers.map { number in
            UInt8(min(max((scale == 0 ? 0 : (number / scale).rounded(.toNearestOrEven)) + zero, 0), 255))
        }
        return [Tensor(shape: data.shape, integers), Tensor(scalar: scale), Tensor(scalar: UInt8(zero))]
    }
}

extension ElementType {
    /// Least and greatest number of an integer type of at most 32 bits.
    fileprivate var integerRange: ClosedRange<Double>? {
        switch self {
        case .int4: -8...7
        case .uint4: 0...15
        case .int8: -128...127
        case .uint8: 0...255
        case .int16: -32768...32767
        case .uint16: 0...65535
        case .int32: -2_147_483_648...2_147_483_647
        default: nil
        }
    }
}
