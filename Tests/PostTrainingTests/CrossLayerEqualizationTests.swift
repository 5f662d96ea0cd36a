import Foundation
import Graph
import Nodes
import ONNX
import PostTraining
import Tensors
import TestSupport
import Testing

/// Scales and biases against the reference, the formulas' arithmetic, and what the graph computes.
@Suite struct CrossLayerEqualizationTests {
    struct Case: Decodable {
        let name: String
        /// Serialized ModelProtos.
        let model: Data
        let equalized: Data

        static func all() throws -> [Case] {
            let url = goldenFolder("PostTraining").appendingPathComponent("equalization.json")
            return try JSONDecoder().decode([Case].self, from: Data(contentsOf: url))
        }
    }

    @Test func weightsAndBiasesAreTheReferences() throws {
        let cases = try Case.all()
        #expect(cases.count >= 10)
        for golden in cases {
            let given = try Graph(importing: ONNXFile(decoding: golden.model)).foldingConstants()
            let folding = BatchNormFolding.foldTellingFolds(given)
            let outcome = CrossLayerEqualization.equalize(folding.graph, folds: folding.folds)
            let expected = try Graph(importing: ONNXFile(decoding: golden.equalized))
            #expect(outcome.sets.count == (golden.name == "depthwise triple" || golden.name.contains("behind") ? 2 : 1))
            for (name, tensor) in outcome.graph.constants where tensor.elementType == .float32 {
                let other = try #require(expected.constants[name], "\(golden.name): \(name)")
                let difference = relativeDifference(tensor.elements(as: Float.self), other.elements(as: Float.self))
                #expect(difference < 2e-6, "\(golden.name): \(name)")
            }
            #expect(outcome.replacedClips.isEmpty == (golden.name != "clip from zero"))
            #expect((outcome.absorption.channels > 0) == golden.name.contains("high biases"))
        }
    }

    /// s = r1 / sqrt(r1 r2); a channel without weights keeps its own.
    @Test func aPairByArithmetic() throws {
        var layers = LayerGraph()
        layers.constant("w", [3, 3, 1, 1], [1, -16, 4, 0, 0, 0, 0.5, 0.25, 1])
        layers.constant("b", [3], [8, 5, -1])
        layers.constant("v", [2, 3, 1, 1], [1, 3, 4, -0.5, 2, 9])
        layers.node("Conv", "x w b", "a")
        layers.node("Relu", "a", "r")
        layers.node("Conv", "r v", "y")
        let outcome = CrossLayerEqualization.equalize(layers.graph)
        func values(_ name: String) -> [Float]? { outcome.graph.constants[name]?.elements(as: Float.self) }
        // Scales 16 / sqrt(16), 1, 1 / sqrt(9).
        #expect(values("w") == [0.25, -4, 1, 0, 0, 0, 1.5, 0.75, 3])
        #expect(values("b") == [2, 5, -3])
        #expect(values("v") == [4, 3, Float(4.0 / 3), -2, 2, 3])
        let set = try #require(outcome.sets.first)
        #expect((set.channels, set.scaledChannels) == (3, 2))
        // Outputs 16, 0 and 1 before; 4, 0 and 3 after, where the inputs of the second channel have 3.
        #expect(set.ratioBefore == 16)
        #expect(abs(set.ratioAfter - 4.0 / 3) < 1e-6)
        #expect(outcome.keepsFunction)
    }

    /// s12 = r1 / (r1 r2 r3)^(1/3), s23 = (r1 r2 r3)^(1/3) / r3.
    @Test func aDepthwiseTripleByArithmetic() throws {
        var layers = LayerGraph(input: [2, 1, 8, 8])
        layers.constant("w", [2, 1, 1, 1], [8, 1])
        layers.constant("wb", [2], [4, 1])
        layers.constant("d", [2, 1, 1, 1], [4, 27])
        layers.constant("db", [2], [2, 1])
        layers.constant("v", [1, 2, 1, 1], [2, 1])
        layers.node("Conv", "x w wb", "a")
        layers.node("Relu", "a", "b")
        layers.node("Conv", "b d db", "c", ["group": .int(2)])
        layers.node("Relu", "c", "e")
        layers.node("Conv", "e v", "y")
        let outcome = CrossLayerEqualization.equalize(layers.graph)
        // Roots of 64 and 27: 4 and 3. Scales 2 and 1/3, then 2 and 3.
        for (name, expected) in [
            ("w", [4, 3]), ("wb", [2, 3]), ("d", [4, 3]), ("db", [1, 1 / 3]), ("v", [4, 3]),
        ] as [(String, [Float])] {
            let found = try #require(outcome.graph.constants[name]).elements(as: Float.self)
            #expect(relativeDifference(found, expected) < 1e-6, "\(name): \(found)")
        }
        #expect(outcome.rounds == 2)
    }

    /// A channel that is no more than its bias keeps it.
    @Test func constantChannelsStay() throws {
        var layers = LayerGraph()
        layers.constant("w", [2, 3, 1, 1], [1e-9, 0, -1e-8, 4, 0, 1])
        layers.constant("b", [2], [0.5, 1])
        layers.constant("v", [1, 2, 1, 1], [3, 1])
        layers.node("Conv", "x w b", "a")
        layers.node("Relu", "a", "r")
        layers.node("Conv", "r v", "y")
        let outcome = CrossLayerEqualization.equalize(layers.graph)
        #expect(outcome.graph.constants["b"]?.elements(as: Float.self) == [0.5, 0.5])
        #expect(outcome.graph.constants["v"]?.elements(as: Float.self) == [3, 2])
        let set = try #require(outcome.sets.first)
        #expect((set.scaledChannels, set.constantChannels) == (1, 1))
    }

    /// No scale gets through a batch norm that is left.
    @Test func batchNormsThatAreLeftAreCounted() {
        var layers = LayerGraph()
        layers.conv("x", "a", from: 3, to: 4, spread: 3)
        for (name, value) in [("gamma", 1), ("beta", 0), ("mean", 0), ("variance", 1)] as [(String, Float)] {
            layers.constant(name, [4], [Float](repeating: value, count: 4))
        }
        layers.node("BatchNormalization", "a gamma beta mean variance", "n")
        layers.node("Relu", "n", "r")
        layers.conv("r", "y", from: 4, to: 5)
        let outcome = CrossLayerEqualization.equalize(layers.graph)
        #expect(outcome.sets.isEmpty && outcome.batchNorms == 1)
        #expect(CrossLayerEqualization.equalize(BatchNormFolding.fold(layers.graph).graph).sets.count == 1)
    }

    /// Clip with an upper bound becomes Relu inside a set, and stays elsewhere.
    @Test(arguments: [true, false]) func clipsBecomeRelu(_ isInside: Bool) throws {
        var layers = LayerGraph(outputs: isInside ? ["y"] : ["y", "b"])
        layers.constant("low", [], [0])
        layers.constant("high", [], [6])
        layers.conv("x", "a", from: 3, to: 4, spread: 3)
        layers.node("Clip", "a low high", "b")
        layers.conv("b", "y", from: 4, to: 5)
        let outcome = CrossLayerEqualization.equalize(layers.graph)
        #expect(outcome.replacedClips == (isInside ? ["Clip b"] : []))
        #expect(outcome.keepsFunction == !isInside)
        #expect(outcome.graph.nodes[1].opType == (isInside ? "Relu" : "Clip"))
        #expect((outcome.graph.constants["high"] == nil) == isInside)
        try outcome.graph.validate()
        guard isInside else { return }
        var relu = layers.graph
        relu.nodes[1] = Node(name: "Clip b", opType: "Relu", inputs: ["a"], outputs: ["b"])
        let (before, after) = (try LayerGraph.outputs(of: relu), try LayerGraph.outputs(of: outcome.graph))
        #expect(relativeDifference(after, before) < 1e-5)
    }

    /// A Clip without an upper bound is a Relu as it is.
    @Test func clipsWithoutUpperBoundStay() {
        var layers = LayerGraph()
        layers.constant("low", [], [0])
        layers.conv("x", "a", from: 3, to: 4, spread: 3)
        layers.node("Clip", "a low", "b")
        layers.conv("b", "y", from: 4, to: 5)
        let outcome = CrossLayerEqualization.equalize(layers.graph)
        #expect(outcome.sets.count == 1 && outcome.keepsFunction)
        #expect(outcome.graph.nodes[1].opType == "Clip")
    }

    /// Where no value is cut off, biases may go to the next layer without a change of the function.
    @Test(arguments: [(kernel: 1, pads: 0), (3, 0), (3, 1)])
    func highBiasesAreAbsorbed(_ kernel: Int, _ pads: Int) throws {
        var layers = LayerGraph()
        layers.constant("a.w", [4, 3, 1, 1], axis: 0, spread: 2)
        layers.constant("gamma", [4], [0.5, 0.1, 0.3, 2])
        layers.constant("beta", [4], [4, 5, 0.2, 9])
        layers.constant("mean", [4], [0, 0, 0, 0])
        // So wide that all normalized values are near 0.
        layers.constant("variance", [4], [1e4, 1e4, 1e4, 1e4])
        layers.node("Conv", "x a.w", "a")
        layers.node("BatchNormalization", "a gamma beta mean variance", "n")
        layers.node("Relu", "n", "r")
        layers.conv("r", "y", from: 4, to: 5, kernel: kernel, pads: pads)
        let folding = BatchNormFolding.foldTellingFolds(layers.graph)
        let outcome = CrossLayerEqualization.equalize(folding.graph, folds: folding.folds)
        #expect(outcome.absorption.channels == (pads == 0 ? 3 : 0))
        #expect(outcome.absorption.setsLeft == (pads == 0 ? 0 : 1))
        let (before, after) = (
            try LayerGraph.outputs(of: folding.graph), try LayerGraph.outputs(of: outcome.graph)
        )
        #expect(relativeDifference(after, before) < 1e-5)
        guard pads == 0 else { return }
        let unabsorbed = CrossLayerEqualization.equalize(folding.graph)
        #expect(unabsorbed.absorption.setsWithoutStatistics == 1)
        let name = try #require(folding.folds.first?.bias)
        let bias = try #require(outcome.graph.constants[name]).elements(as: Float.self)
        let high = try #require(unabsorbed.graph.constants[name]).elements(as: Float.self)
        // What is left is three deviations, over the same scale as the mean.
        for (channel, share) in [1.5 / 4, 0.3 / 5, 1, 6.0 / 9].enumerated() {
            #expect(abs(bias[channel] / high[channel] - Float(share)) < 1e-5)
        }
    }
}
