import CompositeOperators
import Nodes
import Operators
import Tensors

extension SimplifiedNormalization: ComposedOperator {
    package func compose(
        _ parts: inout Composition, inputs: [OperatorInput?], types: [ValueType]
    ) throws -> [Composition.Value?] {
        let data = parts.value(try node.input(inputs, 0))
        let scale = parts.value(try node.input(inputs, 1))
        let rank = data.shape.rank
        let axes = Array(try node.resolveAxis(axis, rank: rank)..<rank)
        let result = try parts.rootMeanSquare(data, axes: axes, epsilon: epsilon, scale: scale)
        return [result.output, result.inverse]
    }
}

extension SkipNormalization: ComposedOperator {
    package func compose(
        _ parts: inout Composition, inputs: [OperatorInput?], types: [ValueType]
    ) throws -> [Composition.Value?] {
        var sum = try parts.add(parts.value(node.input(inputs, 0)), parts.value(inputs, 1))
        sum = try parts.add(sum, parts.value(inputs, places.bias))
        let scale = parts.value(try node.input(inputs, 2))
        if isSimplified {
            let result = try parts.rootMeanSquare(sum, axes: [sum.shape.rank - 1], epsilon: epsilon, scale: scale)
            return [result.output, nil, result.inverse, sum]
        }
        let shift = places.shift.flatMap { parts.value(inputs, $0) }
        let asked = parts.isAsked(1) || parts.isAsked(2) ? 3 : 1
        let results = try parts.apply(
            "LayerNormalization", [sum, scale] + (shift.map { [$0] } ?? []), ["epsilon": .float(epsilon)],
            outputs: asked)
        return [results[0], asked > 1 ? results[1] : nil, asked > 1 ? results[2] : nil, sum]
    }
}

extension Composition {
    /// x / sqrt(mean of squares + epsilon) * scale, in single precision at least, and one over the root.
    fileprivate mutating func rootMeanSquare(
        _ data: Value, axes: [Int], epsilon: Float, scale: Value
    ) throws -> (output: Value, inverse: Value) {
        let wide: ElementType = data.type.elementType == .float64 ? .float64 : .float32
        let numbers = try cast(data, to: wide)
        let mean = try apply("ReduceMean", [multiply(numbers, numbers), integers(axes)], ["keepdims": .int(1)])
        let root = try apply("Sqrt", [add(mean, number(Double(epsilon), wide))])
        let normalized = try cast(apply("Div", [numbers, root]), to: scale.type.elementType)
        return (try multiply(normalized, scale), try cast(apply("Reciprocal", [root]), to: .float32))
    }
}
