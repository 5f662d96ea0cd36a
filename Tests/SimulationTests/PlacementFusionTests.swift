import Foundation
import Graph
import Nodes
import Operators
import Quantization
import Simulation
import Tensors
import Testing

/// Patterns of nodes that run as one op on the target, where the reference is no oracle.
@Suite struct PlacementFusionTests {
    /// Op type, inputs and output. An input that reads as a number is a constant.
    typealias Operation = (String, [String], String)

    /// `operations` make y from x between two ops that have quantizers.
    static func graph(_ operations: [Operation], outputs: [String] = ["z"]) -> Graph {
        let all = [("Sigmoid", ["input"], "x")] + operations + [("Sigmoid", ["y"], "z")]
        let numbers = Set(all.flatMap(\.1)).compactMap { name in Float(name).map { (name, Tensor(scalar: $0)) } }
        return Graph(
            name: "g",
            inputs: (["input"] + (all.contains { $0.1.contains("other") } ? ["other"] : [])).map {
                ValueInfo(name: $0, elementType: .float32, dimensions: nil)
            },
            outputs: outputs.map { ValueInfo(name: $0, elementType: .float32, dimensions: nil) },
            nodes: all.map { Node(name: "node_" + $0.2, opType: $0.0, inputs: $0.1, outputs: [$0.2]) },
            constants: Dictionary(uniqueKeysWithValues: numbers), opsetVersion: 17)
    }

    static func place(
        _ graph: Graph, _ passes: [String], change: (inout SimulationConfig) -> Void = { _ in }
    ) throws -> QuantizerPlacement {
        var config = try #require(SimulationConfig.named("default"))
        config.supergroupPasses = passes
        change(&config)
        return try QuantizerPlacement(
            graph: graph, config: config, activationBitwidth: 8, parameterBitwidth: 8, activationScheme: .tf,
            parameterScheme: .tf)
    }

    static func enabled(_ placement: QuantizerPlacement) -> Set<String> {
        Set(placement.activations.filter(\.enabled).map(\.tensor))
    }

    private static let erf: [Operation] = [
        ("Div", ["x", "1.4142135"], "u"), ("Erf", ["u"], "f"), ("Add", ["f", "1"], "s"),
    ]
    private static let tanh: [Operation] = [
        ("Pow", ["x", "3"], "cube"), ("Mul", ["cube", "0.044715"], "k"), ("Add", ["x", "k"], "a"),
        ("Mul", ["a", "0.7978845"], "u"), ("Tanh", ["u"], "f"), ("Add", ["1", "f"], "s"),
    ]
    private static let product: [Operation] = [("Mul", ["x", "s"], "p"), ("Mul", ["p", "0.5"], "y")]

    private static let gelus: [[Operation]] = [
        erf + product,
        tanh + product,
        erf + [("Mul", ["x", "0.5"], "h"), ("Mul", ["h", "s"], "y")],
        tanh + [("Mul", ["0.5", "s"], "h"), ("Mul", ["h", "x"], "y")],
        [
            ("Mul", ["0.70710677", "x"], "u"), ("Erf", ["u"], "f"), ("Mul", ["f", "0.5"], "g"),
            ("Add", ["0.5", "g"], "s"), ("Mul", ["s", "x"], "y"),
        ],
        [
            ("Div", ["x", "2"], "h"), ("Mul", ["x", "0.7071"], "u"), ("Erf", ["u"], "f"), ("Mul", ["h", "f"], "g"),
            ("Add", ["g", "h"], "y"),
        ],
        [
            ("Mul", ["x", "x"], "square"), ("Mul", ["0.044715", "square"], "k"), ("Add", ["k", "1"], "a"),
            ("Mul", ["x", "0.79788"], "b"), ("Mul", ["b", "a"], "u"), ("Tanh", ["u"], "f"), ("Add", ["f", "1"], "s"),
            ("Mul", ["x", "s"], "p"), ("Div", ["p", "2"], "y"),
        ],
        [
            ("Mul", ["x", "x"], "square"), ("Mul", ["x", "square"], "cube"), ("Mul", ["cube", "-0.044715"], "k"),
            ("Sub", ["x", "k"], "a"), ("Mul", ["0.7978846", "a"], "u"), ("Tanh", ["u"], "f"), ("Add", ["f", "1"], "s"),
        ] + product,
    ]

    @Test func insideOfAGELUNothingIsQuantized() throws {
        for operations in Self.gelus {
            let graph = Self.graph(operations)
            let placement = try Self.place(graph, ["GELU"])
            #expect(Self.enabled(placement) == ["input", "x", "y", "z"], "\(operations)")
            for inner in operations.map(\.2) where inner != "y" {
                let steps = try #require(placement.steps[inner])
                #expect(steps.map(\.change) == [.enabled(false)])
                #expect(steps.map(\.rule) == ["supergroup_pass_list.GELU"] && steps.map(\.node) == ["node_y"])
            }
            let plain = try Self.enabled(Self.place(graph, ["LayerNormalization", "MatmulAdd"]))
            #expect(plain == Set(operations.map(\.2)).union(graph.constants.keys).union(["input", "x", "z"]))
        }
    }

    @Test func whatIsNearlyAGELUIsNone() throws {
        let wrong: [[Operation]] = [
            [("Div", ["x", "1.5"], "u")] + Self.erf.dropFirst() + Self.product,
            Self.erf.dropLast() + [("Add", ["f", "2"], "s")] + Self.product,
            Self.erf.dropLast() + [("Sub", ["1", "f"], "s")] + Self.product,
            Self.erf + [("Mul", ["x", "s"], "p"), ("Mul", ["p", "0.4"], "y")],
            Self.erf + [("Mul", ["other", "s"], "p"), ("Mul", ["p", "0.5"], "y")],
            Self.erf + [("Mul", ["s", "0.5"], "y")],
            [("Div", ["1.4142135", "x"], "u")] + Self.erf.dropFirst() + Self.product,
            // The argument of the other form.
            [Self.erf[0], ("Tanh", ["u"], "f"), Self.erf[2]] + Self.product,
            [("Pow", ["x", "2"], "cube")] + Self.tanh.dropFirst() + Self.product,
            [Self.tanh[0], ("Mul", ["cube", "0.05"], "k")] + Self.tanh.dropFirst(2) + Self.product,
            [Self.tanh[0], Self.tanh[1], ("Add", ["other", "k"], "a")] + Self.tanh.dropFirst(3) + Self.product,
            // Somebody else uses what is inside.
            Self.erf + Self.product + [("Neg", ["u"], "more")],
            Self.tanh + Self.product + [("Neg", ["s"], "more")],
        ]
        for operations in wrong {
            let graph = Self.graph(operations)
            #expect(try Self.place(graph, ["GELU"]) == Self.place(graph, []), "\(operations)")
        }
        let graph = Self.graph(Self.erf + Self.product, outputs: ["z", "p"])
        #expect(try Self.place(graph, ["GELU"]) == Self.place(graph, []))
    }

    @Test func sectionsKnowAFusedGELUByItsOpType() throws {
        let graph = Self.graph(Self.erf + Self.product)
        let placement = try Self.place(graph, ["GELU"]) { config in
            config.opTypes["Gelu", default: .init()].constraints = EncodingConstraints(min: -0.25, max: 6)
        }
        #expect(
            placement.activations.first { $0.tensor == "y" }?.constraints == EncodingConstraints(min: -0.25, max: 6))
        let grouped = try Self.place(graph, ["GELU"]) { $0.supergroups = [["Sigmoid", "Gelu", "Sigmoid"]] }
        #expect(Self.enabled(grouped) == ["input", "z"])
    }

    @Test func twoGELUsInARowAreTwo() throws {
        let second = (Self.erf + Self.product).map { operation in
            let renamed = operation.1.map { $0 == "x" ? "first" : Float($0) == nil ? $0 + "2" : $0 }
            return (operation.0, renamed, operation.2 == "y" ? "y" : operation.2 + "2")
        }
        let first = (Self.tanh + Self.product).map { ($0.0, $0.1, $0.2 == "y" ? "first" : $0.2) }
        let placement = try Self.place(Self.graph(first + second), ["GELU"])
        #expect(Self.enabled(placement) == ["input", "x", "first", "y", "z"])
    }

    /// The encoder that PyTorch exported has one in each of its two layers.
    @Test func theGELUsOfAnExportedEncoderAreFused() throws {
        let graph = try #require(GoldenPlacement.load().graphs["transformer"]).graph(named: "transformer")
        let plain = try Self.enabled(Self.place(graph, ["LayerNormalization", "MatmulAdd"]))
        let fused = try Self.enabled(Self.place(graph, ["LayerNormalization", "MatmulAdd", "GELU"]))
        let inner = ["Div_output_0", "Erf_output_0", "Add_1_output_0", "Mul_output_0"]
        let constants = ["Constant_output_0", "Constant_1_output_0", "Constant_2_output_0"]
        #expect(
            plain.subtracting(fused)
                == Set([0, 1].flatMap { layer in (inner + constants).map { "/layers.\(layer)/\($0)" } }))
        #expect(fused.isSubset(of: plain))
    }

    @Test func configsMayNameThePass() throws {
        let text = """
            {"defaults": {"ops": {}, "params": {}}, "params": {}, "op_type": {}, "supergroups": [],
             "model_input": {}, "model_output": {}, "supergroup_pass_list": ["GELU", "MaskedSoftmax"]}
            """
        let config = try SimulationConfig(json: Data(text.utf8), file: "config")
        #expect(config.supergroupPasses == ["GELU", "MaskedSoftmax"])
        for name in SimulationConfig.builtInNames {
            #expect(SimulationConfig.named(name)?.supergroupPasses.contains("GELU") == false)
        }
    }

    @Test func aProductThatIsAnOutputStays() throws {
        var graph = Self.graph([("MatMul", ["x", "w"], "p"), ("Add", ["b", "p"], "y")])
        graph.constants["w"] = Tensor(shape: [4, 3], [Float](repeating: 1, count: 12))
        graph.constants["b"] = Tensor(shape: [3], [Float](repeating: 1, count: 3))
        let fused = try Self.place(graph, ["MatmulAdd"])
        #expect(Self.enabled(fused) == ["input", "x", "y", "z"])
        #expect(fused.parameters.map(\.tensor) == ["w", "b"])
        graph.outputs.append(ValueInfo(name: "p", elementType: .float32, dimensions: nil))
        #expect(try Self.place(graph, ["MatmulAdd"]) == Self.place(graph, []))
    }
}
