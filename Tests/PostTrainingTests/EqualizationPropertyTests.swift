import Graph
import Nodes
import PostTraining
import Tensors
import Testing

/// Random chains of layers, with depthwise ones and branches: the function stays, and ranges meet.
@Suite struct EqualizationPropertyTests {
    @Test(arguments: 0..<UInt64(60)) func functionStaysAndRangesMeet(_ seed: UInt64) throws {
        let graph = chain(seed: seed)
        let outcome = CrossLayerEqualization.equalize(graph)
        try outcome.graph.validate()
        let (before, after) = (try LayerGraph.outputs(of: graph), try LayerGraph.outputs(of: outcome.graph))
        #expect(relativeDifference(after, before) < 1e-4, "seed \(seed)")

        #expect(!outcome.sets.isEmpty && outcome.isSettled, "seed \(seed)")
        for set in outcome.sets {
            let nodes = set.layers.compactMap { name in outcome.graph.nodes.first { $0.name == name } }
            try #require(nodes.count == set.layers.count)
            let first = ranges(try #require(outcome.graph.constants[nodes[0].inputs[1]]), axis: 0)
            var second = [Double](repeating: 0, count: first.count)
            for node in nodes.dropFirst() {
                let weight = try #require(outcome.graph.constants[node.inputs[1]])
                let isDepthwise = weight.shape[1] == 1 && weight.shape[0] == first.count
                let own = ranges(weight, axis: isDepthwise ? 0 : 1)
                for channel in second.indices { second[channel] = max(second[channel], own[channel]) }
            }
            for (first, second) in zip(first, second) {
                #expect(abs(first / second - 1) < 1e-3, "seed \(seed), \(set.layers)")
            }
            #expect(set.ratioAfter.isFinite && set.ratioAfter >= 1)
        }
    }

    /// The same bits again, whatever order dictionaries have.
    @Test func sameBitsInEveryRun() {
        let graph = chain(seed: 7)
        let first = CrossLayerEqualization.equalize(graph)
        for _ in 0..<3 {
            let again = CrossLayerEqualization.equalize(graph)
            #expect(again.graph.constants == first.graph.constants)
            #expect(again.sets == first.sets)
        }
    }

    /// Convolutions with more channels than one, so that depthwise ones are told from others.
    private func chain(seed: UInt64) -> Graph {
        var layers = LayerGraph(seed: seed, outputs: ["y", "z"])
        func pick<Element>(_ elements: [Element]) -> Element {
            elements[Int.random(in: elements.indices, using: &layers.random)]
        }
        var (value, channels) = ("x", 3)
        for index in 0..<pick([2, 3, 5, 8]) {
            if index > 0, pick([true, false]) {
                layers.conv(
                    value, "d\(index)", from: channels, to: channels, kernel: 3, groups: channels, pads: 1, spread: 2)
                value = between("d\(index)", index, &layers, pick([0, 1, 2]))
            }
            let next = pick([2, 4, 7])
            layers.conv(
                value, "c\(index)", from: channels, to: next, kernel: pick([1, 3]), pads: 1, spread: 3)
            channels = next
            value = between("c\(index)", index + 100, &layers, pick([0, 1, 2]))
        }
        layers.conv(value, "y", from: channels, to: 3)
        layers.conv(value, "z", from: channels, to: 2, spread: 2)
        return layers.graph
    }

    /// - Returns: the value behind a node that hands on scales, or the same.
    private func between(_ value: String, _ index: Int, _ layers: inout LayerGraph, _ kind: Int) -> String {
        switch kind {
        case 0: return value
        case 1: layers.node("Relu", value, "r\(index)")
        default: layers.node("LeakyRelu", value, "r\(index)", ["alpha": .float(0.2)])
        }
        return "r\(index)"
    }
}
