import Graph
import Nodes
import Operators
import Tensors

/// Takes batch normalizations into the weights of neighbouring layers; the graph computes the same function.
///
/// With s = sqrt(variance + epsilon), a normalization behind a layer gives W' = W * gamma / s and
/// b' = beta + (b - mean) * gamma / s, for each output channel. One in front of a layer gives W' = W * gamma / s and
/// b' = b + sum of W * (beta - mean * gamma / s), for each input channel; this is exact only where the layer pads nothing.
/// Which value names survive, and how new biases are called, follows aimet-onnx, so that encodings can be compared.
public enum BatchNormFolding {
    /// Folds every batch normalization that can be folded without changing what the graph computes. One behind a layer
    /// goes first. Left alone are layers whose weight or bias has other users or is no constant, and values between layer
    /// and normalization that have other users or are graph outputs. A normalization that stays takes its statistics into
    /// scale and bias, which is the form that is quantized.
    /// - Parameter kept: names of values and constants that have to stay what they are, as those whose grids are known; what
    ///   folding would change of them is not folded.
    /// - Returns: the new graph and the names of the batch normalizations that are gone, in order of the graph.
    public static func fold(_ graph: Graph, keeping kept: Set<String> = []) -> (graph: Graph, folded: [String]) {
        let outcome = foldTellingFolds(graph, keeping: kept)
        return (outcome.graph, outcome.folded)
    }

    /// As `fold`.
    /// - Returns: also what is known of the layers that took a normalization behind them.
    public static func foldTellingFolds(
        _ graph: Graph, keeping kept: Set<String> = []
    ) -> (graph: Graph, folded: [String], folds: [Fold]) {
        guard graph.nodes.contains(where: { $0.opType == "BatchNormalization" }) else { return (graph, [], []) }
        var folding = Folding(graph, keeping: kept)
        for index in graph.nodes.indices { folding.foldBackward(layer: index) }
        for index in graph.nodes.indices { folding.foldForward(layer: index) }
        let (folded, names) = folding.result(absorbing: true)
        return (folded, names, folding.folds)
    }

    /// A normalization that was taken into the layer before it.
    public struct Fold: Equatable, Sendable {
        /// The layer's weight.
        public let weight: String
        /// The layer's bias: the one it had, or a new one.
        public let bias: String
        /// What the normalization made of the layer's output.
        public let output: String
        /// What the layer's output is called now, which is the value that `output` was.
        public let folded: String
        /// What the weights of each output channel were multiplied by: [output channels].
        public let scale: [Double]
        /// Mean of the normalization's output: beta, [output channels].
        public let mean: [Double]
        /// Standard deviation of the normalization's output: |gamma|, [output channels].
        public let deviation: [Double]
    }

    /// Folds batch normalizations into the layers before them, as `fold` does, and leaves all others as they are.
    /// - Parameter isWanted: asked for each layer that has a normalization behind it.
    public static func foldBehindLayers(
        _ graph: Graph, where isWanted: (Node) -> Bool = { _ in true }
    ) -> (graph: Graph, folds: [Fold]) {
        var folding = Folding(graph)
        for index in graph.nodes.indices where isWanted(graph.nodes[index]) { folding.foldBackward(layer: index) }
        return (folding.result(absorbing: false).graph, folding.folds)
    }
}

/// Who makes and who uses each value of a graph whose nodes change: finding all anew for each normalization would take time in
/// proportion to the graph as often as it has normalizations.
private struct FoldingUses {
    let outputs: Set<String>
    private(set) var producers: [String: Int] = [:]
    private var users: [String: Set<Int>] = [:]

    init(_ graph: Graph) {
        outputs = Set(graph.outputs.map(\.name))
        for (index, node) in graph.nodes.enumerated() { add(node, at: index) }
    }

    mutating func add(_ node: Node, at index: Int) {
        for name in node.outputs where !name.isEmpty { producers[name] = index }
        for name in node.inputs where !name.isEmpty { users[name, default: []].insert(index) }
    }

    mutating func remove(_ node: Node, at index: Int) {
        for name in node.outputs where producers[name] == index { producers[name] = nil }
        for name in node.inputs { users[name]?.remove(index) }
    }

    func consumers(of value: String) -> [Int] { (users[value] ?? []).sorted() }

    /// The only node that uses the value; nil where there are none or several, or where it is a graph output.
    func soleConsumer(of value: String) -> Int? {
        guard !outputs.contains(value), let users = users[value], users.count == 1 else { return nil }
        return users.first
    }
}

/// The graph while normalizations are folded. Nodes keep their indices until the end.
private struct Folding {
    private var graph: Graph
    private var uses: FoldingUses
    private var names: FreshNames
    /// Indices of normalizations that are gone.
    private var removed: Set<Int> = []
    /// Those of them that stood behind a layer.
    private(set) var folds: [BatchNormFolding.Fold] = []

    private let kept: Set<String>

    init(_ graph: Graph, keeping kept: Set<String> = []) {
        self.graph = graph
        self.kept = kept
        uses = FoldingUses(graph)
        names = FreshNames(graph)
    }

    mutating func foldBackward(layer index: Int) {
        let node = graph.nodes[index]
        guard let layer = foldableLayer(node), let normIndex = uses.soleConsumer(of: node.outputs[0]),
            !removed.contains(normIndex), graph.nodes[normIndex].inputs.first == node.outputs[0],
            kept.isDisjoint(with: node.outputs),
            let norm = ChannelAffine(graph.nodes[normIndex], graph), norm.channels == layer.outputChannels
        else { return }
        var bias = layer.bias ?? [Float](repeating: 0, count: layer.outputChannels)
        for channel in bias.indices {
            bias[channel] = Float(norm.offset[channel] + Double(bias[channel]) * norm.scale[channel])
        }
        store(layer.weight(scaledByOutputChannel: norm.scale), bias: bias, layer: index)
        let gone = graph.nodes[normIndex]
        remove(normIndex, into: index)
        let folded = graph.nodes[index]
        folds.append(
            BatchNormFolding.Fold(
                weight: folded.inputs[1], bias: folded.inputs[2],
                output: gone.outputs[0], folded: folded.outputs[0], scale: norm.scale,
                mean: norm.mean, deviation: norm.deviation))
    }

    mutating func foldForward(layer index: Int) {
        let node = graph.nodes[index]
        guard let layer = foldableLayer(node), layer.takesForwardFold, let normIndex = uses.producers[node.inputs[0]],
            !removed.contains(normIndex), uses.soleConsumer(of: node.inputs[0]) == index,
            !kept.contains(node.inputs[0]),
            let norm = ChannelAffine(graph.nodes[normIndex], graph), norm.channels == layer.inputChannels
        else { return }
        let added = layer.outputSums(weightedByInputChannel: norm.offset)
        let bias = (layer.bias ?? [Float](repeating: 0, count: layer.outputChannels)).enumerated().map {
            Float(Double($0.element) + added[$0.offset])
        }
        store(layer.weight(scaledByInputChannel: norm.scale), bias: bias, layer: index)
        uses.remove(graph.nodes[normIndex], at: normIndex)
        uses.remove(graph.nodes[index], at: index)
        graph.nodes[index].inputs[0] = graph.nodes[normIndex].inputs[0]
        uses.add(graph.nodes[index], at: index)
        removed.insert(normIndex)
    }

    /// The layer that a node is, if its parameters are constants that nobody else uses.
    private func foldableLayer(_ node: Node) -> LinearLayer? {
        for name in node.inputs.dropFirst() where !name.isEmpty && uses.soleConsumer(of: name) == nil { return nil }
        guard Set(node.inputs).count == node.inputs.count, kept.isDisjoint(with: node.inputs.dropFirst()) else {
            return nil
        }
        return LinearLayer(node, graph)
    }

    private mutating func store(_ weight: Tensor, bias: [Float], layer index: Int) {
        let node = graph.nodes[index]
        graph.constants[node.inputs[1]] = weight
        var name = node.inputs.count > 2 ? node.inputs[2] : ""
        if name.isEmpty {
            name = names.value(node.name + ".bias")
            uses.remove(node, at: index)
            graph.nodes[index].inputs = [node.inputs[0], node.inputs[1], name]
            uses.add(graph.nodes[index], at: index)
        }
        graph.constants[name] = Tensor(shape: [bias.count], bias)
    }

    /// Takes a normalization out behind a layer. The layer's output keeps its name, unless the normalization's output is
    /// a graph output, whose name users rely on.
    private mutating func remove(_ normIndex: Int, into index: Int) {
        let gone = graph.nodes[normIndex].outputs[0]
        uses.remove(graph.nodes[normIndex], at: normIndex)
        if uses.outputs.contains(gone) {
            uses.remove(graph.nodes[index], at: index)
            graph.nodes[index].outputs[0] = gone
            uses.add(graph.nodes[index], at: index)
        } else {
            let kept = graph.nodes[index].outputs[0]
            for user in uses.consumers(of: gone) {
                uses.remove(graph.nodes[user], at: user)
                graph.nodes[user].inputs = graph.nodes[user].inputs.map { $0 == gone ? kept : $0 }
                uses.add(graph.nodes[user], at: user)
            }
        }
        removed.insert(normIndex)
    }

    /// Drops what is gone, with its constants.
    /// - Parameter absorbing: whether the remaining normalizations are brought to scale and bias alone.
    func result(absorbing: Bool) -> (graph: Graph, folded: [String]) {
        var graph = graph
        let folded = removed.sorted().map { graph.nodes[$0].name }
        let parameters = removed.flatMap { graph.nodes[$0].inputs.dropFirst() }
        graph.nodes = graph.nodes.indices.filter { !removed.contains($0) }.map { graph.nodes[$0] }
        let uses = ValueUses(graph)
        for name in parameters where !uses.isUsed(name) { graph.constants[name] = nil }
        if absorbing { graph.absorbStatistics(keeping: kept) }
        return (graph, folded)
    }
}
