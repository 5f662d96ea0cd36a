import Nodes
import ONNX
import Tensors

/// Attention: softmax(scale * Q K^T + bias) V for each head.
///
/// Inputs: Q, K, V, all [batch, heads, length, size] or all [batch, length, heads * size]; optional attn_mask, which broadcasts
/// to [batch, heads of Q, length of Q, length of K], false or added; past_key and past_value, which come before K and V;
/// nonpad_kv_seqlen [batch], how many keys of each sample are none of padding. Outputs: Y as Q, the present keys and values
/// [batch, heads, length, size], and the scores at some stage. Several heads of Q may share one of K and V.
public struct Attention: Operator {
    /// At which stage the scores are the fourth output.
    public enum ScoreOutput: Int, Sendable {
        case products, capped, biased, probabilities
    }

    public static let opTypes = ["Attention"]

    package let node: Node
    /// No key behind the query is seen.
    package let isCausal: Bool
    /// Keys further before or behind the query than this are not seen; nil for no bound.
    package let window: (left: Int?, right: Int?)
    /// Nil for one over the root of the size of a head.
    package let scale: Float?
    /// Scores are `softcap * tanh(score / softcap)`; nil where they are not capped.
    package let softcap: Float?
    /// What the softmax is computed in; nil for the type of Q.
    package let softmaxType: ElementType?
    package let scoreOutput: ScoreOutput
    private let heads: (query: Int?, key: Int?)

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 3...(opsetVersion >= 24 ? 7 : 6), outputs: 4)
        var attributes = AttributeReader(node)
        isCausal = try attributes.flag("is_causal")
        let sides = opsetVersion >= 25 ? ["left_window_size", "right_window_size"] : []
        let bounds = try sides.map { try attributes.int($0, default: -1) }
        guard bounds.allSatisfy({ -1...Window.limit ~= $0 }) else {
            throw GraphError(.invalidAttribute, at: node, expected: "window sizes of at least -1", found: "\(bounds)")
        }
        window = bounds.isEmpty ? (nil, nil) : (bounds[0] < 0 ? nil : bounds[0], bounds[1] < 0 ? nil : bounds[1])
        scale = try attributes.float("scale")
        let cap = try attributes.float("softcap", default: 0)
        softcap = cap > 0 ? cap : nil
        let code = try attributes.int("softmax_precision")
        softmaxType = code.flatMap(ElementType.init(onnxCode:))
        guard code == nil || softmaxType?.isFloatingPoint == true else {
            throw GraphError(
                .invalidAttribute, at: node, expected: "softmax_precision of a floating-point type",
                found: "\(code ?? 0)")
        }
        let stage = try attributes.int("qk_matmul_output_mode", default: 0)
        guard let scoreOutput = ScoreOutput(rawValue: stage) else {
            throw GraphError(.invalidAttribute, at: node, expected: "qk_matmul_output_mode 0 to 3", found: "\(stage)")
        }
        self.scoreOutput = scoreOutput
        heads = (try attributes.int("q_num_heads"), try attributes.int("kv_num_heads"))
        try attributes.finish()
        self.node = node
    }

    /// Extents of what is computed.
    package func layout(inputs: [OperatorInput?]) throws -> AttentionLayout {
        let query = try node.input(inputs, 0, rank: 3...4)
        let rank = query.type.shape.rank
        let (key, value) = (
            try node.input(inputs, 1, rank: rank...rank), try node.input(inputs, 2, rank: rank...rank)
        )
        func parts(_ input: OperatorInput, _ heads: Int?) throws -> (heads: Int, length: Int, size: Int) {
            let shape = input.type.shape
            if rank == 4 { return (shape[1], shape[2], shape[3]) }
            guard let heads, heads > 0, shape[2] % heads == 0 else {
                throw GraphError(
                    .shapeMismatch, at: node, tensor: input.name, expected: "[batch, length, heads * size] of heads",
                    found: "\(shape) of \(heads.map { "\($0)" } ?? "no number of")")
            }
            return (heads, shape[1], shape[2] / heads)
        }
        let (q, k, v) = (try parts(query, heads.query), try parts(key, heads.key), try parts(value, heads.key))
        let past = try pastLength(inputs)
        let layout = AttentionLayout(
            batch: query.type.shape[0], queryHeads: q.heads, keyHeads: k.heads, queries: q.length,
            keys: k.length, past: past, headSize: q.size, valueSize: v.size, isFlat: rank == 3)
        let batches = [key, value].map { $0.type.shape[0] }
        guard batches.allSatisfy({ $0 == layout.batch }), k.size == q.size, k.heads == v.heads, k.length == v.length,
            k.heads > 0, q.heads % k.heads == 0
        else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: key.name, expected: "keys and values for queries \(query.type.shape)",
                found: "\(key.type.shape) and \(value.type.shape)")
        }
        return layout
    }

    private func pastLength(_ inputs: [OperatorInput?]) throws -> Int {
        let (key, value) = (node.optional(inputs, 4), node.optional(inputs, 5))
        guard key != nil || value != nil else { return 0 }
        let (first, second) = (try node.input(inputs, 4, rank: 4...4), try node.input(inputs, 5, rank: 4...4))
        guard first.type.shape[2] == second.type.shape[2], node.optional(inputs, 6) == nil else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: second.name,
                expected: "past keys and values of one length, without nonpad_kv_seqlen",
                found: "\(first.type.shape) and \(second.type.shape)")
        }
        return first.type.shape[2]
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let layout = try layout(inputs: inputs)
        let (type, valueType) = (
            try node.input(inputs, 0).type.elementType, try node.input(inputs, 2).type.elementType
        )
        try check(inputs, 4, [layout.batch, layout.keyHeads, layout.past, layout.headSize])
        try check(inputs, 5, [layout.batch, layout.keyHeads, layout.past, layout.valueSize])
        try check(inputs, 6, [layout.batch])
        if let lengths = node.optional(inputs, 6), lengths.type.elementType != .int64 {
            throw GraphError(
                .unsupportedElementType, at: node, tensor: lengths.name, expected: "int64",
                found: lengths.type.elementType.rawValue)
        }
        let scores = Shape([layout.batch, layout.queryHeads, layout.queries, layout.allKeys])
        if let mask = node.optional(inputs, 3) {
            var shape = mask.type.shape.dimensions
            // The last keys may be left out: they are not seen.
            if let last = shape.last, last < layout.allKeys { shape[shape.count - 1] = layout.allKeys }
            guard !shape.isEmpty, Shape.broadcast(Shape(shape), scores) == scores else {
                throw GraphError(
                    .shapeMismatch, at: node, tensor: mask.name, expected: "a mask that broadcasts to \(scores)",
                    found: "\(mask.type.shape)")
            }
        }
        let output =
            layout.isFlat
            ? [layout.batch, layout.queries, layout.queryHeads * layout.valueSize]
            : [layout.batch, layout.queryHeads, layout.queries, layout.valueSize]
        return [
            ValueType(type, Shape(output)),
            ValueType(type, [layout.batch, layout.keyHeads, layout.allKeys, layout.headSize]),
            ValueType(valueType, [layout.batch, layout.keyHeads, layout.allKeys, layout.valueSize]),
            ValueType(type, scores),
        ]
    }

    private func check(_ inputs: [OperatorInput?], _ index: Int, _ shape: Shape) throws {
        guard let input = node.optional(inputs, index), input.type.shape != shape else { return }
        throw GraphError(
            .shapeMismatch, at: node, tensor: input.name, expected: "\(shape)", found: "\(input.type.shape)")
    }
}

/// Extents of an attention.
package struct AttentionLayout: Sendable {
    package var batch, queryHeads, keyHeads: Int
    /// Positions of the sequences; `past` keys come before the others.
    package var queries, keys, past: Int
    /// Elements of a head: of queries and keys, of values.
    package var headSize, valueSize: Int
    /// Whether heads lie beside each other along the last axis.
    package var isFlat: Bool

    package var allKeys: Int { past + keys }

    package init(
        batch: Int, queryHeads: Int, keyHeads: Int, queries: Int, keys: Int, past: Int, headSize: Int, valueSize: Int,
        isFlat: Bool
    ) {
        (self.batch, self.queryHeads, self.keyHeads) = (batch, queryHeads, keyHeads)
        (self.queries, self.keys, self.past) = (queries, keys, past)
        (self.headSize, self.valueSize, self.isFlat) = (headSize, valueSize, isFlat)
    }
}
