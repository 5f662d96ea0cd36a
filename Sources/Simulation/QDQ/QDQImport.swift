import Graph
import Nodes
import Operators
import Quantization
import Tensors

/// A graph whose QuantizeLinear and DequantizeLinear nodes are taken for what they mean: grids of tensors.
///
/// A value that goes through a pair of them is one tensor, with the name that it had in front of the pair, or the name of the
/// graph output that it becomes; a constant that is stored as integers has the grid that these are on. So a model that
/// `QDQExport` wrote becomes the one that it was made of, with its encodings. All who take a value take it rounded then,
/// also those who took it in front of the pair.
///
/// Nodes stay where they are no such pair: with scales that are computed, of several grids for one value, two grids one
/// behind the other, and between a graph input and a graph output. Biases of 32 bits have no grid of their own.
public struct QDQImport: Sendable {
    /// Without the pairs that are encodings now. Constants that are stored as integers are still behind their DequantizeLinear,
    /// which constant folding makes them of.
    public let graph: Graph
    /// By the names of the graph; of constants with the axis of the node, which may count from the end.
    public let encodings: [String: TensorEncodings]

    public init(_ graph: Graph) {
        var reading = PairReading(graph)
        for index in graph.nodes.indices { reading.read(index) }
        (self.graph, encodings) = reading.result
    }
}

private struct PairReading {
    private let source: Graph
    private let uses: ValueUses
    /// What those who took a value take now.
    private var replacements: [String: String] = [:]
    /// Values that have the name of an output now.
    private var renamed: [String: String] = [:]
    private var encodings: [String: TensorEncodings] = [:]
    private var removed: Set<Int> = []

    init(_ graph: Graph) {
        source = graph
        uses = ValueUses(graph)
    }

    mutating func read(_ index: Int) {
        let node = source.nodes[index]
        guard node.opType == "DequantizeLinear", let integers = node.inputs.first, node.outputs.count == 1 else {
            return
        }
        let output = node.outputs[0]
        if let constant = source.constants[integers] {
            encodings[output] = grid(of: node, integers: constant.elementType)
            return
        }
        guard let quantizing = uses.producers[integers], source.nodes[quantizing].opType == "QuantizeLinear",
            let first = source.nodes[quantizing].inputs.first,
            let encodings = grid(of: source.nodes[quantizing], integers: nil),
            encodings == grid(of: node, integers: type(of: source.nodes[quantizing]))
        else { return }
        let value = name(first)
        guard encodings.encodings.count == 1 || source.constants[value] != nil,
            self.encodings[value] == nil || self.encodings[value] == encodings
        else { return }
        if source.isOutput(output) {
            // The name of an output is what users rely on: whoever makes the value makes it under this name.
            guard uses.producers[first] != nil, value == first, !source.isOutput(first) else { return }
            renamed[first] = output
            self.encodings[value] = nil
            self.encodings[output] = encodings
        } else {
            replacements[output] = value
            self.encodings[value] = encodings
        }
        removed.insert(index)
    }

    /// What a value is called in the end.
    private func name(_ value: String) -> String {
        let replaced = replacements[value] ?? value
        return renamed[replaced] ?? replaced
    }

    var result: (graph: Graph, encodings: [String: TensorEncodings]) {
        var graph = source
        var gone = removed
        for (index, node) in source.nodes.enumerated() where node.opType == "QuantizeLinear" {
            let integers = node.outputs.first ?? ""
            let consumers = uses.consumers[integers] ?? []
            if !consumers.isEmpty, removed.isSuperset(of: consumers), !source.isOutput(integers) { gone.insert(index) }
        }
        graph.nodes = source.nodes.indices.filter { !gone.contains($0) }.map { index in
            var node = source.nodes[index]
            node.inputs = node.inputs.map(name)
            node.outputs = node.outputs.map { renamed[$0] ?? $0 }
            return node
        }
        let left = ValueUses(graph)
        for name in gone.flatMap({ source.nodes[$0].inputs }) where !left.isUsed(name) { graph.constants[name] = nil }
        return (graph, encodings)
    }

    /// What the integers of a QuantizeLinear are.
    private func type(of node: Node) -> ElementType {
        if node.inputs.count > 2, let zero = source.constants[node.inputs[2]] { return zero.elementType }
        if case .int(let code)? = node.attributes["output_dtype"], let type = ElementType(onnxCode: code) {
            return type
        }
        return .uint8
    }

    /// The grid that a node's constants say; nil where it is none that a quantizer has.
    /// - Parameter integers: the type of a DequantizeLinear's input.
    private func grid(of node: Node, integers: ElementType?) -> TensorEncodings? {
        let type = integers ?? type(of: node)
        guard let bits = type.gridBits, node.inputs.count > 1, let scale = source.constants[node.inputs[1]],
            scale.elementType == .float32
        else { return nil }
        let deltas = scale.elements(as: Float.self)
        var zeros = [Int](repeating: 0, count: deltas.count)
        if node.inputs.count > 2, !node.inputs[2].isEmpty {
            guard let zero = source.constants[node.inputs[2]], zero.count == deltas.count, zero.elementType == type
            else {
                return nil
            }
            // Numbers of at most 16 bits.
            zeros = [Float](unsafeUninitializedCapacity: zero.count) { place, count in
                zero.copyAsFloats(into: place)
                count = zero.count
            }.map { Int($0) }
        }
        guard !deltas.isEmpty, deltas.allSatisfy({ $0.isNormal && $0 > 0 }) else { return nil }
        let isSymmetric = bits.isSigned && zeros.allSatisfy { $0 == 0 }
        let least = bits.isSigned ? -(1 << (bits.count - 1)) : 0
        let encodings = zip(deltas, zeros).map { delta, zero in
            Encoding(
                bitwidth: bits.count, delta: Double(delta), offset: least - zero, steps: (1 << bits.count) - 1,
                symmetric: isSymmetric)
        }
        func number(_ name: String, default value: Int) -> Int {
            if case .int(let number)? = node.attributes[name] { number } else { value }
        }
        let size = number("block_size", default: 0)
        let axis = number("axis", default: 1)
        if size > 0 {
            return TensorEncodings(
                encodings: encodings, blocks: Blocks(axis: axis, size: size), blockGrids: scale.shape.dimensions)
        }
        guard scale.shape.rank <= 1 else { return nil }
        return TensorEncodings(encodings: encodings, axis: encodings.count == 1 ? nil : axis)
    }
}

extension ElementType {
    /// Of the types that grids are exported as.
    fileprivate var gridBits: (count: Int, isSigned: Bool)? {
        switch self {
        case .int4: (4, true)
        case .uint4: (4, false)
        case .int8: (8, true)
        case .uint8: (8, false)
        case .int16: (16, true)
        case .uint16: (16, false)
        default: nil
        }
    }
}
