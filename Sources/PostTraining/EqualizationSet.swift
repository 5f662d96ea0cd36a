import Graph
import Nodes

/// A layer and all layers that its value goes to, through nodes that hand on the scale of each channel: what the output channels
/// of the first are divided by, the input channels of the others can be multiplied by.
struct EqualizationSet {
    /// Its place among the layers of the search.
    let first: Int
    let consumers: [Consumer]
    /// Indices of the nodes in between that are to become Relu.
    let clips: [Int]

    struct Consumer {
        /// Its place among the layers of the search.
        let layer: Int
        /// How many of its inputs each channel is.
        let block: Int
        /// Whether a Relu is on the way, and nothing that a constant taken away in front would not pass.
        let passesShifts: Bool
    }
}

/// All sets of a graph, in the order of their first layers.
struct EqualizationSearch {
    let layers: [EqualizableLayer]
    private(set) var sets: [EqualizationSet] = []

    private let graph: Graph
    private let uses: ValueUses
    private let kept: Set<String>
    private let shapes: ValueShapes
    /// Places in `layers`, by index of the node.
    private let places: [Int: Int]

    /// - Parameter kept: names of values and constants that must stay what they are.
    init(_ graph: Graph, keeping kept: Set<String>) {
        self.graph = graph
        self.kept = kept
        let uses = ValueUses(graph)
        self.uses = uses
        shapes = ValueShapes(graph)
        layers = graph.nodes.indices.compactMap { EqualizableLayer($0, of: graph, uses, keeping: kept) }
        places = Dictionary(uniqueKeysWithValues: layers.enumerated().map { ($1.index, $0) })
        sets = layers.indices.compactMap(set)
    }

    private func set(first: Int) -> EqualizationSet? {
        var consumers: [EqualizationSet.Consumer] = []
        var clips: Set<Int> = []
        var pending = [(value: layers[first].output, path: ChannelPath(from: layers[first]))]
        while let (value, path) = pending.popLast() {
            guard !uses.outputs.contains(value), !kept.contains(value) else { return nil }
            for index in uses.consumers[value] ?? [] {
                let node = graph.nodes[index]
                // Whose result is the same for every scale.
                if node.opType == "Shape" || node.opType == "Size", node.domain.isEmpty { continue }
                guard node.inputs.first == value, node.uses.filter({ $0 == value }).count == 1,
                    node.outputs.dropFirst().allSatisfy({ $0.isEmpty || !uses.isUsed($0) })
                else { return nil }
                if let place = places[index] {
                    guard let block = path.block(into: layers[place], of: graph) else { return nil }
                    clips.formUnion(path.clips)
                    consumers.append(
                        .init(layer: place, block: block, passesShifts: path.hasRelu && path.keepsShifts))
                } else {
                    guard let next = path.through(index, of: graph, shapes) else { return nil }
                    pending.append((node.outputs[0], next))
                }
            }
        }
        guard !consumers.isEmpty else { return nil }
        return EqualizationSet(
            first: first, consumers: consumers.sorted { $0.layer < $1.layer }, clips: clips.sorted())
    }
}
