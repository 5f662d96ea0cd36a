import Foundation
import Graph
import Nodes
import ONNX
import Operators
import PostTraining
import Quantization
import Simulation
import Tensors
import Testing

/// Networks in which tools of this trade go wrong, and one for each operator, all the way of a job: folded, placed, calibrated,
/// exported with quantize nodes and read again.
@Suite struct TrapTests {
    @Test func thereAreCases() { #expect(SmallNetwork.names.count > 40) }

    @Test(arguments: SmallNetwork.names) func outputsAgree(_ name: String) throws {
        let network = try SmallNetwork(named: name)
        let graph = try network.graph()
        #expect(try signalToNoise(network.expected, network.outputs(of: graph)) > 110)
        let raised = graph.raisingOpset(to: 24)
        try raised.validate()
        #expect(try signalToNoise(network.expected, network.outputs(of: raised)) > 110, "raised")
    }

    @Test(arguments: SmallNetwork.names) func foldedOutputsAgree(_ name: String) throws {
        let network = try SmallNetwork(named: name)
        let (folded, names) = BatchNormFolding.fold(try network.graph())
        #expect(try signalToNoise(network.expected, network.outputs(of: folded)) > 110)
        let isLeft = folded.nodes.contains { $0.opType == "BatchNormalization" }
        #expect(isLeft == (name == "shared_weight"))
        #expect(names.isEmpty == !(name.hasPrefix("transposed") || name == "shared_weight_through_identity"))
    }

    @Test(arguments: SmallNetwork.names) func equalizedOutputsAgree(_ name: String) throws {
        let network = try SmallNetwork(named: name)
        let equalized = CrossLayerEqualization.equalize(BatchNormFolding.fold(try network.graph()).graph)
        guard equalized.keepsFunction else { return }
        #expect(try signalToNoise(network.expected, network.outputs(of: equalized.graph)) > 100)
    }

    /// Decibels of networks that rounding moves further: across a jump, or through five normalizations.
    private static let leastRatios = ["function_thresholdedrelu": 15.0, "picking": 12, "normalizations": 18]

    /// What is simulated is near to what is quantized, and what the exported nodes compute.
    @Test(arguments: SmallNetwork.names, ["default_per_channel", "htp_v73"])
    func exportedNodesAreTheSimulation(_ name: String, _ config: String) throws {
        let network = try SmallNetwork(named: name)
        let imported = QDQImport(try Graph(importing: network.file))
        let graph = BatchNormFolding.fold(try imported.graph.foldingConstants()).graph
        let quantized = try network.calibrated(graph, config: config, own: imported.encodings)
        let simulated = try network.outputs(of: graph, quantized.encodings)
        #expect(try signalToNoise(network.expected, simulated) > Self.leastRatios[name] ?? 28)

        let file = try quantized.exported(over: network.file)
        let exported = try Graph(importing: file).foldingConstants()
        let computed = try network.outputs(of: exported)
        // Interpolated values lie in the middle between grid points, where rounding errors decide.
        #expect(try signalToNoise(simulated, computed) > (name == "resize_linear" ? 35 : 100))

        // The exported model is the model again, with its encodings and without its nodes.
        let again = QDQImport(try Graph(importing: file))
        let opset = again.graph.opsetVersion
        guard opset == graph.opsetVersion else { return }
        #expect(
            again.graph.nodes.filter { $0.opType != "DequantizeLinear" }.map(\.outputs) == graph.nodes.map(\.outputs))
        #expect(again.encodings == quantized.activations.merging(quantized.parameters) { $1 })
        let restored = try again.graph.foldingConstants()
        let second = try network.calibrated(restored, config: config, own: again.encodings)
        #expect(second.activations == quantized.activations && second.parameters == quantized.parameters)
        let resimulated = try network.outputs(of: restored, second.encodings)
        #expect(try signalToNoise(simulated, resimulated) > 100)
    }

    /// With a batch norm behind one of two layers, the weight that both have stays what it is.
    @Test func sharedWeightsAreNotFolded() throws {
        let direct = try SmallNetwork(named: "shared_weight").graph()
        #expect(BatchNormFolding.fold(direct).graph.constants["w"] == direct.constants["w"])
        let aliased = try SmallNetwork(named: "shared_weight_through_identity").graph()
        let folded = BatchNormFolding.fold(aliased).graph
        #expect(folded.constants["w"] == aliased.constants["w"])
        #expect(folded.constants["alias"] != aliased.constants["alias"])
    }

    /// Of 4 input and 6 output channels in 2 groups, output channel o has the weights [2 (o / 3) ..< 2 (o / 3) + 2, o % 3].
    @Test func groupsOfTransposedConvolutionsAreScaled() throws {
        let graph = try SmallNetwork(named: "transposed_4_6_2").graph()
        let folded = BatchNormFolding.fold(graph).graph
        func floats(_ graph: Graph, _ name: String) throws -> [Float] {
            try #require(graph.constants[name]).elements(as: Float.self)
        }
        let (before, after) = (try floats(graph, "w"), try floats(folded, "w"))
        let (scale, variance) = (try floats(graph, "n.scale"), try floats(graph, "n.variance"))
        for input in 0..<4 {
            for column in 0..<3 {
                let output = input / 2 * 3 + column
                let factor = scale[output] / (variance[output] + 1e-5).squareRoot()
                for place in 0..<9 {
                    let index = (input * 3 + column) * 9 + place
                    #expect(abs(after[index] - before[index] * factor) <= 1e-6 * abs(after[index]))
                }
            }
        }
    }

    /// The scores are on a grid of their own range; what is masked is on none, and reaches the Softmax as it is.
    @Test(arguments: SmallNetwork.names.filter { $0.hasPrefix("mask_") && $0 != "mask_none" })
    func masksAreOnNoGrid(_ name: String) throws {
        let network = try SmallNetwork(named: name)
        let quantized = try network.calibrated(network.graph(), config: "default")
        #expect(quantized.activations["masked"] == nil)
        for mask in ["mask", "least", "floor", "sum"] { #expect(quantized.activations[mask] == nil) }
        let scores = try #require(quantized.activations["scores"]?.encodings.first)
        #expect(scores.min > -30 && scores.max < 30)
        let rule = quantized.placement.steps["masked"]?.last
        #expect(rule?.rule == "mask of a Softmax" && rule?.change == .enabled(false))
    }

    /// A symmetric grid reaches below zero, so a Relu in front of it is not for nothing.
    @Test func symmetricGridsKeepTheRelu() throws {
        let network = try SmallNetwork(named: "function_relu")
        var config = try #require(SimulationConfig.named("default"))
        config.defaults.isSymmetric = true
        let graph = try network.graph()
        let placement = try QuantizerPlacement(
            graph: graph, config: config, activationBitwidth: 8, parameterBitwidth: 8, activationScheme: .tf,
            parameterScheme: .tf)
        #expect(placement.activations.first { $0.tensor == "a" }?.settings.symmetric == true)
        let range = TensorEncodings(Encoding.fromRange(min: -4, max: 4, bitwidth: 8, symmetric: true))
        let exported = try QDQExport.graph(graph, activations: ["a": range], parameters: [:])
        let relu = try #require(exported.nodes.first { $0.opType == "Relu" })
        #expect(exported.nodes.contains { $0.opType == "QuantizeLinear" && $0.inputs[0] == relu.outputs[0] })
        var watched = graph
        watched.outputs = [ValueInfo(name: "a", elementType: .float32, dimensions: nil)]
        let values = try network.outputs(of: watched, EncodingsFile(activations: ["a": range], parameters: [:]))
        let elements = try #require(values["a"]).elements(as: Float.self)
        #expect(elements.allSatisfy { $0 >= 0 } && elements.contains(0))
    }

    /// Where a constant is the first operand, it is an operand like any other, with one encoding.
    @Test func constantsInFrontOfAProductHaveOneEncoding() throws {
        let network = try SmallNetwork(named: "constant_first_operand")
        let quantized = try network.calibrated(network.graph(), config: "default_per_channel")
        #expect(quantized.activations["w"]?.encodings.count == 1 && quantized.parameters["w"] == nil)
    }

    /// The scales of an Upsample say an extent; rounded they would say another.
    @Test func scalesOfAnUpsampleAreNotRounded() throws {
        let network = try SmallNetwork(named: "old_softmax_and_upsample")
        let quantized = try network.calibrated(network.graph(), config: "default")
        #expect(quantized.activations["scales"] == nil && quantized.activations["up"] != nil)
    }

    /// A tensor whose range is fixed keeps it beside one that goes further.
    @Test func fixedRangesAreNotStretched() throws {
        let network = try SmallNetwork(named: "concat_of_fixed_and_free")
        let quantized = try network.calibrated(network.graph(), config: "htp_v73")
        #expect(
            quantized.activations["bounded"]
                == TensorEncodings(.fromRange(min: 0, max: 1, bitwidth: 8, symmetric: false)))
        #expect(quantized.activations["wide"] == quantized.activations["joined"])
        #expect(try #require(quantized.activations["joined"]?.encodings.first).max > 5)
    }

    /// Both ends of what was observed are near the ends of float32, and so are those of the grid.
    @Test func gridsAreWithinFloats() throws {
        let network = try SmallNetwork(named: "range_beyond_float")
        let quantized = try network.calibrated(network.graph(), config: "default")
        let encoding = try #require(quantized.activations["clipped"]?.encodings.first)
        #expect(Float(encoding.min).isFinite && Float(encoding.max).isFinite && encoding.max - encoding.min > 2e38)
    }

    /// Every name is kept, and each of two nodes with one name is told apart.
    @Test func namesAreKept() throws {
        let network = try SmallNetwork(named: "names")
        let graph = try network.graph()
        #expect(graph.inputs.map(\.name) == ["/x/ü"] && graph.outputs.map(\.name) == ["日本"])
        #expect(Set(graph.nodes.map(\.name)).count == 3 && !graph.nodes.contains { $0.name.isEmpty })
        let quantized = try network.calibrated(graph, config: "default_per_channel")
        #expect(Set(quantized.parameters.keys) == ["layer/w:0", "w\"2"])
        for version in EncodingsFile.Version.allCases {
            let written = try EncodingsFile.read(quantized.encodings.write(version: version), file: "encodings")
                .resolved(against: graph, file: "encodings")
            #expect(written.activations == quantized.activations && written.parameters == quantized.parameters)
        }
    }

    /// What the model rounds itself is taken for an encoding and not rounded a second time.
    @Test func quantizeNodesAreEncodings() throws {
        let network = try SmallNetwork(named: "quantize_nodes_inside")
        let imported = QDQImport(try Graph(importing: network.file))
        let grid = Encoding(bitwidth: 8, delta: Double(Float(0.02)), offset: -128, steps: 255, symmetric: false)
        #expect(imported.encodings == ["x": TensorEncodings(grid)])
        #expect(imported.graph.nodes.map(\.opType) == ["Conv", "Relu"])
        let quantized = try network.calibrated(imported.graph, config: "default", own: imported.encodings)
        #expect(quantized.activations["x"] == TensorEncodings(grid))
        #expect(quantized.placement.activations.first { $0.tensor == "x" }?.isFixed == true)
        // Without that, nothing is rounded twice either.
        let plain = try network.calibrated(network.graph(), config: "default")
        #expect(plain.activations["x"] == nil && plain.activations["d"] == nil && plain.activations["scale"] == nil)
    }
}
