import CompositeOperators
import Nodes
import Operators
import Tensors

extension Attention: ComposedOperator {
    package func compose(
        _ parts: inout Composition, inputs: [OperatorInput?], types: [ValueType]
    ) throws -> [Composition.Value?] {
        let layout = try layout(inputs: inputs)
        let query = parts.value(try node.input(inputs, 0))
        let type = query.type.elementType
        var (key, value) = (parts.value(try node.input(inputs, 1)), parts.value(try node.input(inputs, 2)))
        key = try parts.headed(key, heads: layout.keyHeads)
        value = try parts.headed(value, heads: layout.keyHeads)
        if let past = parts.value(inputs, 4) { key = try parts.concatenate([past, key], axis: 2) }
        if let past = parts.value(inputs, 5) { value = try parts.concatenate([past, value], axis: 2) }
        let scores = AttentionScores(
            scale: scale.map(Double.init) ?? 1 / Double(max(layout.headSize, 1)).squareRoot(),
            softcap: softcap.map(Double.init), softmaxType: softmaxType, output: parts.isAsked(3) ? scoreOutput : nil)
        let result = try scores.compose(
            &parts, query: parts.headed(query, heads: layout.queryHeads), key: key,
            value: parts.cast(value, to: type), bias: bias(&parts, inputs, layout, type))
        return [layout.isFlat ? try parts.flattened(result.output) : result.output, key, value, result.scores]
    }

    /// What is added to the scores: minus infinity for keys that are not seen.
    private func bias(
        _ parts: inout Composition, _ inputs: [OperatorInput?], _ layout: AttentionLayout, _ type: ElementType
    ) throws -> AttentionBias? {
        var bias: AttentionBias?
        if var mask = parts.value(inputs, 3) {
            if mask.type.elementType != .bool { mask = try parts.cast(mask, to: type) }
            if let last = mask.shape.dimensions.last, last < layout.allKeys {
                mask = try parts.padded(mask, by: layout.allKeys - last)
            }
            bias = AttentionBias(value: try parts.bias(mask, type), hasEmptyRows: true)
        }
        let sight = try Sight(of: self, layout)
        if let lengths = parts.value(inputs, 6) {
            let seen = try parts.bias(parts.seen(sight, lengths: lengths, layout), type)
            bias = AttentionBias(value: try parts.add(seen, bias?.value), hasEmptyRows: true)
        } else if sight.isBounded {
            let seen = sight.seen(offset: layout.past)
            let value = try parts.bias(parts.constant(Tensor(shape: sight.shape, seen)), type)
            let isEmpty = (0..<layout.queries).contains { row in
                !seen[row * layout.allKeys..<(row + 1) * layout.allKeys].contains(true)
            }
            bias = AttentionBias(
                value: try parts.add(value, bias?.value), hasEmptyRows: isEmpty || bias?.hasEmptyRows == true)
        }
        return bias
    }
}

/// Which keys a query sees by its place: query i behind `offset` keys sees key j where `offset` is at least `j - i - right` and at
/// most `j - i + left`.
private struct Sight {
    /// Of queries and keys.
    let shape: Shape
    /// Nil for no bound.
    let left, right: Int?

    var isBounded: Bool { left != nil || right != nil }

    init(of attention: Attention, _ layout: AttentionLayout) throws {
        shape = [layout.queries, layout.allKeys]
        (left, right) = (attention.window.left, attention.isCausal ? 0 : attention.window.right)
        if isBounded { try Composition.check(shape, at: attention.node) }
    }

    /// Query by query.
    func seen(offset: Int) -> [Bool] {
        (0..<shape[0]).flatMap { query in
            let place = query + offset
            return (0..<shape[1]).map { key in
                (right.map { key <= place + $0 } ?? true) && (left.map { key >= place - $0 } ?? true)
            }
        }
    }

    /// `j - i + change`, query by query.
    func differences(_ change: Int) -> Tensor {
        Tensor(
            shape: shape,
            (0..<shape[0]).flatMap { query in (0..<shape[1]).map { Int64($0 - query + change) } })
    }
}

extension Composition {
    /// [batch, length, heads * size] as [batch, heads, length, size]; others as they are.
    mutating func headed(_ value: Value, heads: Int) throws -> Value {
        guard value.shape.rank == 3 else { return value }
        let shape = value.shape
        return try transpose(reshape(value, [shape[0], shape[1], heads, shape[2] / heads]), [0, 2, 1, 3])
    }

    /// The way back.
    mutating func flattened(_ value: Value) throws -> Value {
        let shape = value.shape
        return try reshape(transpose(value, [0, 2, 1, 3]), [shape[0], shape[2], shape[1] * shape[3]])
    }

    /// A mask of truth values as zero and minus infinity; others as they are.
    mutating func bias(_ mask: Value, _ type: ElementType) throws -> Value {
        guard mask.type.elementType == .bool else { return mask }
        return try apply("Where", [mask, number(0, type), number(-.infinity, type)])
    }

    /// A mask with keys behind the last that are not seen.
    fileprivate mutating func padded(_ mask: Value, by count: Int) throws -> Value {
        let type = mask.type.elementType
        let amounts = [Int](repeating: 0, count: 2 * mask.shape.rank - 1) + [count]
        let fill = type == .bool ? constant(Tensor(shape: [], [false])) : number(-.infinity, type)
        return try apply("Pad", [mask, integers(amounts), fill])
    }

    /// Where each sample has so many keys, and its queries stand behind the last of them.
    fileprivate mutating func seen(_ sight: Sight, lengths: Value, _ layout: AttentionLayout) throws -> Value {
        let lengths = try reshape(lengths, [layout.batch, 1, 1, 1])
        let offset = try apply("Sub", [lengths, constant(Tensor(scalar: Int64(layout.queries)))])
        var seen = try apply("Less", [places(layout.allKeys), lengths])
        if let right = sight.right {
            seen = try apply("And", [seen, apply("LessOrEqual", [constant(sight.differences(-right)), offset])])
        }
        if let left = sight.left {
            seen = try apply("And", [seen, apply("LessOrEqual", [offset, constant(sight.differences(left))])])
        }
        return seen
    }
}
