import CompositeOperators
import Nodes
import Operators
import Tensors

extension QuantizedFunction: ComposedOperator {
    package static var isDifferentiable: Bool { false }

    package func compose(
        _ parts: inout Composition, inputs: [OperatorInput?], types: [ValueType]
    ) throws -> [Composition.Value?] {
        var numbers: [Composition.Value?] = []
        for place in operands {
            let integers = parts.value(try node.input(inputs, place))
            let scale = try parts.reshape(parts.value(try node.input(inputs, place + 1)), [])
            let zero = try parts.value(inputs, place + 2).map { try parts.reshape($0, []) }
            numbers.append(try parts.apply("DequantizeLinear", [integers, scale, zero]))
        }
        let values: Composition.Value
        if let flattensFrom, let data = numbers[0] {
            let axis = try node.resolveAxis(flattensFrom, rank: data.shape.rank, inclusive: true)
            let outer = data.shape.dimensions[..<axis].reduce(1, *)
            let rows = try parts.reshape(data, [outer, data.shape.count / max(outer, 1)])
            values = try parts.reshape(parts.apply("Softmax", [rows]), data.shape.dimensions)
        } else {
            values = try parts.apply(function.opType, numbers, function.attributes)
        }
        return [
            try parts.quantize(
                values, as: types[0].elementType, scale: parts.value(inputs, result),
                zero: parts.value(inputs, result + 1))
        ]
    }
}
