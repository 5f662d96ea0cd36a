import CompositeOperators
import Nodes
import Operators
import Tensors

extension ContributedAttention: ComposedOperator {
    package func compose(
        _ parts: inout Composition, inputs: [OperatorInput?], types: [ValueType]
    ) throws -> [Composition.Value?] {
        let layout = try layout(inputs: inputs)
        var operands = try projects ? projected(&parts, inputs) : given(&parts, inputs, layout)
        if let past = parts.value(inputs, places.past) {
            let pasts: [Composition.Value]
            if projects {
                let extents = Array(past.shape.dimensions.dropFirst())
                pasts = try parts.split(past, axis: 0, into: [1, 1]).map { try parts.reshape($0, extents) }
            } else {
                pasts = [past, parts.value(try node.input(inputs, places.past + 1))]
            }
            for index in 1...2 {
                operands[index] = try parts.concatenate([pasts[index - 1], operands[index]], axis: 2)
            }
        }
        let scores = AttentionScores(
            scale: scale.map(Double.init) ?? 1 / Double(max(layout.headSize, 1)).squareRoot(), softcap: nil,
            softmaxType: nil, output: nil)
        let bias = try bias(&parts, inputs, layout, operands[0].type.elementType)
        let result = try scores.compose(
            &parts, query: operands[0], key: operands[1], value: operands[2],
            bias: bias.map { AttentionBias(value: $0, hasEmptyRows: false) })
        let output = try parts.flattened(result.output)
        guard projects, parts.isAsked(1) else { return [output, operands[1], operands[2]] }
        let present = try operands[1...].map { try parts.reshape($0, [1] + $0.shape.dimensions) }
        return [output, try parts.concatenate(present, axis: 0)]
    }

    /// Queries, keys and values of heads, as products of the input.
    private func projected(
        _ parts: inout Composition, _ inputs: [OperatorInput?]
    ) throws -> [Composition.Value] {
        let weight = parts.value(try node.input(inputs, 1))
        var all = try parts.apply("MatMul", [parts.value(node.input(inputs, 0)), weight])
        all = try parts.add(all, parts.value(inputs, places.bias))
        let columns = columns(weight.shape[1])
        return try parts.split(all, axis: 2, into: columns).map { try parts.headed($0, heads: heads) }
    }

    private func given(
        _ parts: inout Composition, _ inputs: [OperatorInput?], _ layout: AttentionLayout
    ) throws -> [Composition.Value] {
        var operands = try (0..<3).map { parts.value(try node.input(inputs, $0)) }
        if let bias = parts.value(inputs, places.bias) {
            let widths = [layout.headSize, layout.headSize, layout.valueSize].map { $0 * heads }
            for (index, part) in try parts.split(bias, axis: 0, into: widths).enumerated()
            where operands[index].shape.rank == 3 {
                operands[index] = try parts.add(operands[index], part)
            }
        }
        return try operands.map { try parts.headed($0, heads: heads) }
    }

    /// What is added to the scores; nil for nothing.
    private func bias(
        _ parts: inout Composition, _ inputs: [OperatorInput?], _ layout: AttentionLayout, _ type: ElementType
    ) throws -> Composition.Value? {
        let keys = layout.allKeys
        var terms = [parts.value(inputs, places.addend)].compactMap { $0 }
        if let mask = parts.value(inputs, places.mask) {
            var seen: Composition.Value
            switch mask.shape.rank {
            case 1:
                let lengths = try parts.cast(parts.reshape(mask, [layout.batch, 1, 1, 1]), to: .int64)
                seen = try parts.apply("Less", [parts.places(keys), lengths])
            default:
                seen = try parts.apply("Greater", [mask, parts.number(0, .int32)])
                let rows = mask.shape.rank == 2 ? 1 : layout.queries
                seen = try parts.reshape(seen, [layout.batch, 1, rows, keys])
            }
            terms.append(try parts.apply("Where", [seen, parts.number(0, type), parts.number(Double(filter), type)]))
        }
        if isCausal { terms.append(try parts.bias(parts.lowerTriangle(layout.queries, keys, past: layout.past), type)) }
        guard let first = terms.first else { return nil }
        return try terms.dropFirst().reduce(first) { try parts.add($0, $1) }
    }
}

extension Composition {
    /// True where a key is not behind the query.
    fileprivate mutating func lowerTriangle(_ queries: Int, _ keys: Int, past: Int) throws -> Value {
        try Self.check([queries, keys], at: node)
        let query = try add(reshape(places(queries), [queries, 1]), constant(Tensor(scalar: Int64(past))))
        return try apply("LessOrEqual", [places(keys), query])
    }
}
