import Nodes
import Tensors

/// ONNX Runtime's Attention, which projects its input to queries, keys and values, and MultiHeadAttention, which takes them.
///
/// Attention: input [batch, length, width], weight [width, all], optional bias [all], mask, past [2, batch, heads, past, size] and
/// addend of the scores. MultiHeadAttention: query [batch, length, heads * size], key and value of another length likewise or
/// [batch, heads, length, size]; optional bias [all], mask, addend, past key and past value. Masks: [batch] (keys that are there), [batch, keys] or [batch, length, keys].
public struct ContributedAttention: Operator {
    public static let opTypes = ["com.microsoft.Attention", "com.microsoft.MultiHeadAttention"]

    package let node: Node
    package let heads: Int
    /// Nil for one over the root of the size of a head.
    package let scale: Float?
    /// What is added to the scores of keys that the mask hides.
    package let filter: Float
    /// No key behind the query is seen.
    package let isCausal: Bool
    private let sizes: [Int]?

    /// Whether queries, keys and values are projections of one input.
    package var projects: Bool { node.opType == "Attention" }
    /// Where optional inputs stand.
    package var places: (bias: Int, mask: Int, addend: Int, past: Int) { projects ? (2, 3, 5, 4) : (3, 4, 5, 6) }

    public init(node: Node, opsetVersion: Int) throws {
        let projects = node.opType == "Attention"
        try node.checkArity(inputs: projects ? 2...6 : 3...8, outputs: projects ? 2 : 3)
        var attributes = AttributeReader(node)
        heads = try attributes.int("num_heads", default: 0)
        scale = try attributes.float("scale").flatMap { $0 == 0 ? nil : $0 }
        filter = try attributes.float("mask_filter_value", default: -10000)
        isCausal = try attributes.flag("unidirectional")
        sizes = projects ? try attributes.ints("qkv_hidden_sizes", in: 0...Window.limit) : nil
        let unsupported = try ["do_rotary", "past_present_share_buffer"].filter {
            projects ? try attributes.flag($0) : false
        }
        attributes.ignore("rotary_embedding_dim")
        try attributes.finish()
        guard heads > 0, unsupported.isEmpty, sizes.map({ $0.count == 3 && $0[0] == $0[1] }) ?? true else {
            throw GraphError(
                .invalidAttribute, at: node,
                expected: "num_heads at least 1, three qkv_hidden_sizes, no do_rotary and no past_present_share_buffer",
                found: "\(heads), \(sizes ?? []), \(unsupported)")
        }
        self.node = node
    }

    /// Columns of the projected queries, keys and values.
    /// - Parameter all: columns of the weight.
    package func columns(_ all: Int) -> [Int] { sizes ?? [all / 3, all / 3, all / 3] }

    package func layout(inputs: [OperatorInput?]) throws -> AttentionLayout {
        let query = try node.input(inputs, 0, rank: 3...3)
        let shape = query.type.shape
        var layout = AttentionLayout(
            batch: shape[0], queryHeads: heads, keyHeads: heads, queries: shape[1], keys: shape[1], past: 0,
            headSize: 0,
            valueSize: 0, isFlat: true)
        func misfit(_ input: OperatorInput, _ expected: String) -> GraphError {
            GraphError(
                .shapeMismatch, at: node, tensor: input.name, expected: expected, found: "\(input.type.shape)")
        }
        func size(_ width: Int, _ input: OperatorInput) throws -> Int {
            guard width % heads == 0 else { throw misfit(input, "a width of \(heads) heads") }
            return width / heads
        }
        if projects {
            let weight = try node.input(inputs, 1, rank: 2...2)
            let columns = columns(weight.type.shape[1])
            guard weight.type.shape == [shape[2], columns.reduce(0, +)] else {
                throw misfit(weight, "[\(shape[2]), \(columns.reduce(0, +))]")
            }
            layout.headSize = try size(columns[0], weight)
            layout.valueSize = try size(columns[2], weight)
        } else {
            let key = try node.input(inputs, 1, rank: 3...4)
            let isHeaded = key.type.shape.rank == 4
            let value = try node.input(inputs, 2, rank: key.type.shape.rank...key.type.shape.rank)
            layout.headSize = try size(shape[2], query)
            layout.keys = key.type.shape[isHeaded ? 2 : 1]
            layout.valueSize = isHeaded ? value.type.shape[3] : try size(value.type.shape[2], value)
            func full(_ width: Int) -> Shape {
                isHeaded
                    ? [shape[0], heads, layout.keys, width / heads] : [shape[0], layout.keys, width]
            }
            guard key.type.shape == full(shape[2]) else { throw misfit(key, "\(full(shape[2]))") }
            let (values, first) = (value.type.shape, key.type.shape)
            guard values.dimensions.dropLast() == first.dimensions.dropLast() else {
                throw misfit(value, "[\(first.dimensions.dropLast().map { "\($0), " }.joined())size]")
            }
        }
        if let past = node.optional(inputs, places.past) {
            let rank = projects ? 5 : 4
            guard past.type.shape.rank == rank else { throw misfit(past, "rank \(rank)") }
            layout.past = past.type.shape[rank - 2]
        }
        return layout
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let layout = try layout(inputs: inputs)
        let type = try node.input(inputs, 0).type.elementType
        let (batch, heads, past) = (layout.batch, layout.queryHeads, layout.past)
        let all = (layout.headSize + layout.headSize + layout.valueSize) * heads
        func check(_ index: Int, _ shapes: [Shape], of types: [ElementType]) throws {
            guard let input = node.optional(inputs, index) else { return }
            guard shapes.contains(input.type.shape), types.contains(input.type.elementType) else {
                throw GraphError(
                    .shapeMismatch, at: node, tensor: input.name,
                    expected: shapes.map(\.description).joined(separator: " or "),
                    found: "\(input.type.elementType.rawValue) \(input.type.shape)")
            }
        }
        try check(places.bias, [[all]], of: [type])
        let (queries, keys) = (layout.queries, layout.allKeys)
        try check(places.mask, [[batch], [batch, keys], [batch, queries, keys]], of: [.int32])
        let addends = [1, batch].flatMap { first in [1, heads].map { [first, $0, queries, keys] as Shape } }
        try check(places.addend, addends, of: [type])
        if projects {
            try check(places.past, [[2, batch, heads, past, layout.headSize]], of: [type])
        } else {
            let isWhole = (node.optional(inputs, 6) == nil) == (node.optional(inputs, 7) == nil)
            guard isWhole else {
                throw GraphError(.invalidInput, at: node, expected: "past keys and values", found: "one")
            }
            try check(6, [[batch, heads, past, layout.headSize]], of: [type])
            try check(7, [[batch, heads, past, layout.valueSize]], of: [type])
        }
        let output = ValueType(type, [batch, queries, heads * layout.valueSize])
        if projects {
            guard layout.headSize == layout.valueSize || node.outputs.count < 2 || node.outputs[1].isEmpty else {
                throw GraphError(
                    .unsupportedOperators, at: node, tensor: node.outputs[1], expected: "keys and values of one size",
                    found: "\(layout.headSize) and \(layout.valueSize)")
            }
            return [output, ValueType(type, [2, batch, heads, keys, layout.headSize])]
        }
        return [
            output, ValueType(type, [batch, heads, keys, layout.headSize]),
            ValueType(type, [batch, heads, keys, layout.valueSize]),
        ]
    }
}
