import CompositeOperators
import Nodes
import Operators
import Tensors

extension CausalConvolution: ComposedOperator {
    package func compose(
        _ parts: inout Composition, inputs: [OperatorInput?], types: [ValueType]
    ) throws -> [Composition.Value?] {
        let (data, weight) = (parts.value(try node.input(inputs, 0)), parts.value(try node.input(inputs, 1)))
        let before = types[1].shape[2]
        var whole = data
        if let past = parts.value(inputs, 3) {
            whole = try parts.concatenate([past, data], axis: 2)
        } else if before > 0 {
            whole = try parts.apply("Pad", [data, parts.integers([0, 0, before, 0, 0, 0])])
        }
        var result = try parts.apply(
            "Conv", [whole, weight, parts.value(inputs, 2)], ["group": .int(data.shape[1])])
        if isActivated { result = try parts.multiply(result, parts.apply("Sigmoid", [result])) }
        guard parts.isAsked(1) else { return [result, nil] }
        let length = data.shape[2]
        let state = try parts.apply(
            "Slice", [whole, parts.integers([length]), parts.integers([length + before]), parts.integers([2])])
        return [result, state]
    }
}
