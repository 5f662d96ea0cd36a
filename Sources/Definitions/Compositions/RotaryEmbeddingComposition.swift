import CompositeOperators
import Nodes
import Operators
import Tensors

extension RotaryEmbedding: ComposedOperator {
    package func compose(
        _ parts: inout Composition, inputs: [OperatorInput?], types: [ValueType]
    ) throws -> [Composition.Value?] {
        let layout = try layout(inputs: inputs)
        let input = parts.value(try node.input(inputs, 0))
        let (batch, length, half) = (layout.batch, layout.length, layout.turned / 2)
        // The axis of heads stands before the sequence, or behind it where heads lie beside each other.
        let full =
            layout.isFlat ? [batch, length, layout.heads, layout.size] : [batch, layout.heads, length, layout.size]
        var outer = full
        outer.removeLast()
        let positions = try parts.value(inputs, indices.positions).map { given in
            guard given.shape != [batch, length] else { return given }
            // One position alone is where the sequence starts.
            let steps = try parts.reshape(parts.places(length), [1, length])
            let start = try parts.reshape(parts.cast(given, to: .int64), [1, 1])
            return try parts.apply("Expand", [parts.add(start, steps), parts.integers([batch, length])])
        }
        func angles(_ parts: inout Composition, _ index: Int) throws -> Composition.Value {
            var values = parts.value(try node.input(inputs, index))
            if let positions { values = try parts.apply("Gather", [values, positions]) }
            return try parts.reshape(values, layout.isFlat ? [batch, length, 1, half] : [batch, 1, length, half])
        }
        let (cosines, sines) = (try angles(&parts, indices.cosines), try angles(&parts, indices.sines))
        let heads = try parts.reshape(input, full)
        let pieces =
            layout.turned == layout.size
            ? [heads] : try parts.split(heads, axis: 3, into: [layout.turned, layout.size - layout.turned])
        let pairs: [Composition.Value]
        if isInterleaved {
            pairs = try parts.split(parts.reshape(pieces[0], outer + [half, 2]), axis: 4, into: [1, 1]).map {
                try parts.reshape($0, outer + [half])
            }
        } else {
            pairs = try parts.split(pieces[0], axis: 3, into: [half, half])
        }
        let real = try parts.apply("Sub", [parts.multiply(pairs[0], cosines), parts.multiply(pairs[1], sines)])
        let imaginary = try parts.add(parts.multiply(pairs[0], sines), parts.multiply(pairs[1], cosines))
        var turned: Composition.Value
        if isInterleaved {
            let both = try [real, imaginary].map { try parts.reshape($0, outer + [half, 1]) }
            turned = try parts.reshape(parts.concatenate(both, axis: 4), outer + [layout.turned])
        } else {
            turned = try parts.concatenate([real, imaginary], axis: 3)
        }
        if pieces.count > 1 { turned = try parts.concatenate([turned, pieces[1]], axis: 3) }
        return [try parts.reshape(turned, input.shape.dimensions)]
    }
}
