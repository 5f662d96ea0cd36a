import CompositeOperators
import Nodes
import Operators
import Tensors

/// What is added to scores.
struct AttentionBias {
    /// Broadcasts to [batch, heads, queries, keys].
    var value: Composition.Value
    /// Whether a query may see no key, so that its output is zero.
    var hasEmptyRows: Bool
}

/// softmax(scale * Q K^T + bias) V.
struct AttentionScores {
    var scale: Double
    var softcap: Double?
    /// Nil for the type of the queries.
    var softmaxType: ElementType?
    /// Which scores are wanted as well.
    var output: Attention.ScoreOutput?

    /// - Parameters:
    ///   - query: [batch, heads, queries, size]
    ///   - key: [batch, groups, keys, size]; each group serves equally many neighbouring heads.
    ///   - value: [batch, groups, keys, size of values]
    /// - Returns: [batch, heads, queries, size of values], and the scores that are wanted.
    func compose(
        _ parts: inout Composition, query: Composition.Value, key: Composition.Value, value: Composition.Value,
        bias: AttentionBias?
    ) throws -> (output: Composition.Value, scores: Composition.Value?) {
        let type = query.type.elementType
        let (batch, heads, queries, size) = (query.shape[0], query.shape[1], query.shape[2], query.shape[3])
        let (groups, keys) = (key.shape[1], key.shape[2])
        // The queries of heads that share keys lie below each other, so that keys need not be repeated.
        let rows = heads / max(groups, 1) * queries
        // Both factors take the root of the scale, so that products of half precision do not overflow.
        let root = scale.magnitude.squareRoot()
        let left = try parts.scale(parts.reshape(query, [batch, groups, rows, size]), by: scale < 0 ? -root : root)
        let right = try parts.scale(parts.transpose(key, [0, 1, 3, 2]), by: root)
        let products = try parts.reshape(parts.apply("MatMul", [left, right]), [batch, heads, queries, keys])
        var logits = products
        if let softcap {
            let share = try parts.apply("Tanh", [parts.scale(logits, by: 1 / softcap)])
            logits = try parts.scale(share, by: softcap)
        }
        let capped = logits
        if let bias {
            let finite = bias.hasEmptyRows ? try parts.finite(bias.value) : bias.value
            logits = try parts.add(logits, finite)
        }
        var probabilities = try parts.apply("Softmax", [parts.cast(logits, to: softmaxType ?? type)])
        if let bias, bias.hasEmptyRows {
            let rows = try parts.cast(parts.rowsWithKeys(bias.value), to: probabilities.type.elementType)
            probabilities = try parts.multiply(probabilities, rows)
        }
        probabilities = try parts.cast(probabilities, to: type)
        let scores: Composition.Value? =
            switch output {
            case nil: nil
            case .products: products
            case .capped: capped
            case .biased: try parts.add(capped, bias?.value)
            case .probabilities: probabilities
            }
        let mixed = try parts.apply("MatMul", [parts.reshape(probabilities, [batch, groups, rows, keys]), value])
        return (try parts.reshape(mixed, [batch, heads, queries, value.shape[3]]), scores)
    }
}

extension Composition {
    /// The greatest number that is taken for a finite one.
    private func greatest(_ type: ElementType) -> Double {
        switch type {
        case .float64: Double.greatestFiniteMagnitude
        case .float16: Double(Float16.greatestFiniteMagnitude)
        default: Double(Float.greatestFiniteMagnitude)
        }
    }

    /// A number far below all scores in place of minus infinity: a row without keys has a softmax then, which is taken as zero
    /// afterwards.
    fileprivate mutating func finite(_ bias: Value) throws -> Value {
        let type = bias.type.elementType
        return try apply("Clip", [bias, number(-greatest(type) / 2, type)])
    }

    /// 0 for rows that are minus infinity everywhere, else 1. Of functions that all have gradients, so that a bias may be learned.
    fileprivate mutating func rowsWithKeys(_ bias: Value) throws -> Value {
        let type = bias.type.elementType
        let largest = try apply("ReduceMax", [bias, integers([-1])], ["keepdims": .int(1)])
        // Any number becomes at least a quarter of the greatest, minus infinity stays.
        let lifted = try add(scale(largest, by: 0.5), number(0.75 * greatest(type), type))
        return try apply("Clip", [lifted, number(0, type), number(1, type)])
    }
}
