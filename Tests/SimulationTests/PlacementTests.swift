import Foundation
import Graph
import Nodes
import Operators
import Quantization
import Simulation
import Tensors
import Testing

/// Placement against the reference's. The golden file holds the graphs too.
@Suite struct PlacementTests {
    static func cases() throws -> [GoldenCase] { try GoldenPlacement.load().cases }

    static func place(
        _ item: GoldenCase, _ graphs: [String: GoldenGraph]
    ) throws -> (graph: Graph, placement: QuantizerPlacement) {
        let graph = try #require(graphs[item.graph]).graph(named: item.graph)
        let config: SimulationConfig
        switch item.config {
        case .name(let name): config = try #require(SimulationConfig.named(name))
        case .document(let data): config = try SimulationConfig(json: data, file: "config")
        }
        let placement = try QuantizerPlacement(
            graph: graph, config: config, activationBitwidth: 8, parameterBitwidth: 4, activationScheme: .tf,
            parameterScheme: .tf)
        return (graph, placement)
    }

    /// A sequence has no grid: no node could round it.
    @Test func sequencesAreNotQuantized() throws {
        func info(_ name: String) -> ValueInfo { ValueInfo(name: name, elementType: .float32, dimensions: nil) }
        let nodes = [
            Node(name: "abs", opType: "Abs", inputs: ["x"], outputs: ["a"]),
            Node(name: "pair", opType: "SequenceConstruct", inputs: ["a", "x"], outputs: ["pair"]),
            Node(name: "more", opType: "SequenceInsert", inputs: ["pair", "a"], outputs: ["more"]),
            Node(
                name: "all", opType: "ConcatFromSequence", inputs: ["more"], outputs: ["all"],
                attributes: ["axis": .int(0)]),
            Node(name: "neg", opType: "Neg", inputs: ["a"], outputs: ["y"]),
        ]
        let graph = Graph(
            name: "sequences", inputs: [info("x")], outputs: [info("y"), info("all")], nodes: nodes, constants: [:],
            opsetVersion: 17)
        let config = try #require(SimulationConfig.named("default_per_channel"))
        let placement = try QuantizerPlacement(
            graph: graph, config: config, activationBitwidth: 8, parameterBitwidth: 8, activationScheme: .tf,
            parameterScheme: .tf)
        let quantized = Set(placement.activations.filter(\.enabled).map(\.tensor))
        #expect(quantized.isSuperset(of: ["x", "a", "y"]) && quantized.isDisjoint(with: ["pair", "more", "all"]))
    }

    @Test func enabledQuantizersAreTheReferences() throws {
        let golden = try GoldenPlacement.load()
        for item in golden.cases {
            let (_, placement) = try Self.place(item, golden.graphs)
            let label = Comment(rawValue: "\(item.graph) under \(item.config)")
            let activations = placement.activations.filter(\.enabled)
            #expect(Set(activations.map(\.tensor)) == Set(item.expected.activations.keys), label)
            for quantizer in activations {
                guard let expected = item.expected.activations[quantizer.tensor] else { continue }
                let detail = Comment(rawValue: "\(quantizer.tensor) of \(item.graph) under \(item.config)")
                #expect(quantizer.settings.symmetric == expected.symmetric, detail)
                #expect(quantizer.settings.bitwidth == expected.bitwidth, detail)
                #expect(quantizer.constraints == expected.constraints, detail)
            }
            let parameters = placement.parameters.filter(\.enabled)
            #expect(Set(parameters.map(\.tensor)) == Set(item.expected.parameters.keys), label)
            for quantizer in parameters {
                guard let expected = item.expected.parameters[quantizer.tensor] else { continue }
                #expect(quantizer.settings.symmetric == expected.symmetric, label)
                #expect(quantizer.settings.bitwidth == expected.bitwidth, label)
            }
        }
    }

    @Test func sharedQuantizersAreTheReferences() throws {
        let golden = try GoldenPlacement.load()
        for item in golden.cases {
            let (_, placement) = try Self.place(item, golden.graphs)
            let shared = Dictionary(grouping: placement.activations.filter(\.enabled), by: \.group).values
                .filter { $0.count > 1 }
                .map { $0.map(\.tensor).sorted() }
            #expect(Set(shared) == Set(item.expected.shared), "\(item.graph) under \(item.config)")
        }
    }

    @Test func channelAxesAreTheReferences() throws {
        let golden = try GoldenPlacement.load()
        for item in golden.cases {
            let (graph, placement) = try Self.place(item, golden.graphs)
            for quantizer in placement.parameters where quantizer.enabled {
                let rank = try #require(graph.constants[quantizer.tensor]).shape.rank
                let expected = item.expected.parameters[quantizer.tensor]?.axis.map { $0 < 0 ? $0 + rank : $0 }
                #expect(quantizer.channelAxis == expected, "\(quantizer.tensor) of \(item.graph) under \(item.config)")
            }
        }
    }

    @Test func stepsSayWhatMadeAQuantizerWhatItIs() throws {
        let golden = try GoldenPlacement.load()
        for item in golden.cases {
            let (_, placement) = try Self.place(item, golden.graphs)
            for quantizer in placement.activations + placement.parameters {
                var (enabled, group, axis) = (false, quantizer.tensor, Int?.none)
                for step in placement.steps[quantizer.tensor] ?? [] {
                    switch step.change {
                    case .enabled(let value): enabled = value
                    case .shared(let owner): group = owner
                    case .channelAxis(let value): axis = value
                    default: break
                    }
                }
                let label = Comment(rawValue: "\(quantizer.tensor) of \(item.graph) under \(item.config)")
                #expect(enabled == quantizer.enabled, label)
                #expect(axis == quantizer.channelAxis, label)
                // A shared quantizer may itself come to be another's.
                #expect((group == quantizer.tensor) == (quantizer.group == quantizer.tensor), label)
            }
        }
    }

    @Test func stepsNameTheRuleAndTheNode() throws {
        let graph = GoldenGraph(
            inputs: ["x"], outputs: ["y"],
            nodes: [
                ("Conv", ["x", "w", "b"], ["c"]), ("Relu", ["c"], ["r"]), ("MaxPool", ["r"], ["p"]),
                ("Softmax", ["p"], ["y"]),
            ], constants: ["w": [8, 8, 3, 3], "b": [8]]
        ).graph(named: "g")
        let placement = try QuantizerPlacement(
            graph: graph, config: try #require(SimulationConfig.named("htp_v73")), activationBitwidth: 8,
            parameterBitwidth: 4, activationScheme: .tf, parameterScheme: .tf)
        func last(_ tensor: String) -> PlacementStep? { placement.steps[tensor]?.last }
        #expect(
            placement.steps["c"]?.map(\.rule) == ["defaults.ops.is_output_quantized", "supergroups[3] (Conv+Relu)"])
        #expect(last("c")?.node == "Conv 0" && last("c")?.change == .enabled(false))
        #expect(last("r")?.rule == "op_type.Relu.encoding_constraints" && last("r")?.node == "Relu 1")
        #expect(last("p")?.rule == "grid-preserving op" && last("p")?.change == .enabled(false))
        #expect(last("y")?.change == .constraints(EncodingConstraints(min: 0, max: 1)))
        #expect(last("x")?.rule == "model_input.is_input_quantized")
        let ofBias = placement.steps["b"]?.last { $0.change == .enabled(false) }
        #expect(ofBias?.rule == "params.bias.is_quantized")
        #expect(
            Set(placement.steps["w"]?.suffix(2).map(\.rule) ?? [])
                == ["op_type.Conv.per_channel_quantization", "requested bit width"])
    }

    @Test func contradictionsNameTensorAndNode() throws {
        let graph = GoldenGraph(
            inputs: ["x"], outputs: ["y"],
            nodes: [("Tanh", ["x"], ["t"]), ("Relu", ["t"], ["y"])], constants: [:]
        ).graph(named: "g")
        var config = try #require(SimulationConfig.named("default"))
        config.opTypes["Tanh", default: .init()].constraints = EncodingConstraints(min: -1, max: 1)
        config.opTypes["Relu", default: .init()].constraints = EncodingConstraints(min: 0)
        let ranges = #expect(throws: SimulationError.self) {
            try QuantizerPlacement(
                graph: graph, config: config, activationBitwidth: 8, parameterBitwidth: 8, activationScheme: .tf,
                parameterScheme: .tf)
        }
        #expect(ranges?.code == .conflictingSettings && ranges?.tensor == "y" && ranges?.node == "Relu 1")

        config = try #require(SimulationConfig.named("default"))
        config.opTypes["Tanh", default: .init()].isSymmetric = true
        config.opTypes["Relu", default: .init()].isSymmetric = false
        let symmetry = #expect(throws: SimulationError.self) {
            try QuantizerPlacement(
                graph: graph, config: config, activationBitwidth: 8, parameterBitwidth: 8, activationScheme: .tf,
                parameterScheme: .tf)
        }
        #expect(symmetry?.path == "op_type.Relu.is_symmetric" && symmetry?.tensor == "t")
    }
}
