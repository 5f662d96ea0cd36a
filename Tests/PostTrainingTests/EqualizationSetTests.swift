import Graph
import Nodes
import PostTraining
import Tensors
import Testing

/// Which layers are scaled together, and that what the graph computes stays the same whatever is in between.
@Suite struct EqualizationSetTests {
    typealias Build = @Sendable (inout LayerGraph) -> Void

    /// Nodes between `a`, of 4 channels, and `b`, which the next layer takes; the name says what.
    static let homogeneous: [(name: String, build: Build)] = [
        ("nothing", { $0.node("Identity", "a", "b") }), ("Relu", { $0.node("Relu", "a", "b") }),
        ("LeakyRelu", { $0.node("LeakyRelu", "a", "b", ["alpha": .float(0.3)]) }),
        (
            "PRelu with a slope for all",
            {
                $0.constant("slope", [1], [-0.25])
                $0.node("PRelu", "a slope", "b")
            }
        ),
        (
            "PRelu with a slope for each channel",
            {
                $0.constant("slope", [4, 1, 1])
                $0.node("PRelu", "a slope", "b")
            }
        ),
        (
            "MaxPool",
            { $0.node("MaxPool", "a", "b", ["kernel_shape": .ints([2, 2]), "pads": .ints([1, 1, 0, 0])]) }
        ),
        (
            "AveragePool",
            {
                $0.node(
                    "AveragePool", "a", "b",
                    ["kernel_shape": .ints([3, 3]), "pads": .ints([1, 1, 1, 1]), "count_include_pad": .int(1)])
            }
        ),
        (
            "Pad",
            {
                $0.integers("pads", [0, 0, 1, 2, 0, 0, 0, 1])
                $0.node("Pad", "a pads", "b")
            }
        ),
        (
            "Pad that reflects",
            {
                $0.integers("pads", [0, 0, 1, 2, 0, 0, 0, 1])
                $0.node("Pad", "a pads", "b", ["mode": .string("reflect")])
            }
        ),
        ("GlobalAveragePool", { $0.node("GlobalAveragePool", "a", "b") }),
        (
            "several",
            {
                $0.node("Relu", "a", "c")
                $0.node("Dropout", "c", "d")
                $0.node("GlobalMaxPool", "d", "e")
                $0.node("Identity", "e", "b")
            }
        ),
    ]

    @Test(arguments: homogeneous) func scalesPass(_ name: String, _ build: Build) throws {
        var layers = LayerGraph()
        layers.conv("x", "a", from: 3, to: 4, spread: 3)
        build(&layers)
        layers.conv("b", "y", from: 4, to: 5)
        let outcome = try equalize(layers.graph)
        #expect(outcome.sets.map(\.layers) == [["Conv a", "Conv y"]], "\(name)")
        #expect(outcome.sets.first?.scaledChannels == 4)
    }

    /// Each channel becomes a block of a Gemm's inputs.
    @Test(arguments: ["Flatten", "Reshape", "Reshape to all shapes", "mean"])
    func channelsThatAreFlattened(_ name: String) throws {
        var layers = LayerGraph()
        layers.conv("x", "a", from: 3, to: 4, spread: 3)
        layers.node("MaxPool", "a", "b", ["kernel_shape": .ints([4, 4]), "strides": .ints([4, 4])])
        switch name {
        case "Flatten": layers.node("Flatten", "b", "c")
        case "mean": layers.node("ReduceMean", "b", "c", ["axes": .ints([-1, -2]), "keepdims": .int(0)])
        case "Reshape":
            layers.integers("extents", [0, -1])
            layers.node("Reshape", "b extents", "c")
        default:
            // As PyTorch's x.view(x.size(0), -1).
            layers.node("Shape", "b", "shape")
            layers.integers("first", [0])
            layers.node("Gather", "shape first", "samples")
            layers.integers("rest", [-1])
            layers.node("Concat", "samples rest", "extents", ["axis": .int(0)])
            layers.node("Reshape", "b extents", "c")
        }
        layers.node("Relu", "c", "d")
        layers.constant("w", [name == "mean" ? 4 : 16, 5])
        layers.node("Gemm", "d w", "y")
        let outcome = try equalize(layers.graph)
        #expect(outcome.sets.map(\.layers) == [["Conv a", "Gemm y"]])
        var open = layers.graph
        open.inputs[0].dimensions?[0] = .symbolic("samples")
        #expect(CrossLayerEqualization.equalize(open).sets == outcome.sets)
        // What a Reshape does depends on extents that are open.
        open.inputs[0].dimensions?[2] = .unknown
        #expect(CrossLayerEqualization.equalize(open).sets.isEmpty == name.hasPrefix("Reshape"))
        // Of a channel, the block has one range with the layer in front.
        let first = ranges(try #require(outcome.graph.constants["a.w"]), axis: 0)
        let rows = ranges(try #require(outcome.graph.constants["w"]), axis: 0)
        let block = rows.count / 4
        for channel in 0..<4 {
            let second = rows[channel * block..<(channel + 1) * block].max() ?? 0
            #expect(abs(first[channel] / second - 1) < 1e-3)
        }
    }

    /// MatMul with the bias behind it, on samples of any rank.
    @Test func productsWithBiases() throws {
        var layers = LayerGraph(input: [2, 3, 4])
        layers.constant("w", [4, 6], axis: 1, spread: 3)
        layers.constant("b", [6])
        layers.constant("v", [6, 5])
        layers.node("MatMul", "x w", "p")
        layers.node("Add", "b p", "a")
        layers.node("Relu", "a", "r")
        layers.node("MatMul", "r v", "y")
        let outcome = try equalize(layers.graph)
        #expect(outcome.sets.map(\.layers) == [["MatMul p", "MatMul y"]])
        #expect(outcome.graph.constants["b"] != layers.graph.constants["b"])
    }

    /// All consumers take the scale, and the second range is the largest of all of them.
    @Test func branches() throws {
        var layers = LayerGraph(outputs: ["y", "z"])
        layers.constant("w", [1, 3, 1, 1], [8, 2, 1])
        layers.constant("v", [1, 1, 1, 1], [1])
        layers.constant("u", [1, 1, 1, 1], [2])
        layers.node("Conv", "x w", "a")
        layers.node("Relu", "a", "b")
        layers.node("Conv", "b v", "y")
        layers.node("MaxPool", "b", "c", ["kernel_shape": .ints([2, 2])])
        layers.node("Conv", "c u", "z")
        let outcome = try equalize(layers.graph)
        #expect(outcome.sets.map(\.layers) == [["Conv a", "Conv y", "Conv z"]])
        // s = 8 / sqrt(8 * 2) = 2
        #expect(outcome.graph.constants["w"]?.elements(as: Float.self) == [4, 1, 0.5])
        #expect(outcome.graph.constants["v"]?.elements(as: Float.self) == [2])
        #expect(outcome.graph.constants["u"]?.elements(as: Float.self) == [4])
    }

    /// Groups that are not depthwise: a channel is seen by the outputs of its group alone.
    @Test func groups() throws {
        var layers = LayerGraph()
        layers.conv("x", "a", from: 3, to: 6, spread: 3)
        layers.node("Relu", "a", "b")
        layers.conv("b", "c", from: 6, to: 4, kernel: 3, groups: 2, spread: 3)
        layers.node("Relu", "c", "d")
        layers.constant("t.w", [4, 3, 2, 2])
        layers.node("ConvTranspose", "d t.w", "y", ["group": .int(2)])
        let outcome = try equalize(layers.graph)
        #expect(outcome.sets.map(\.layers) == [["Conv a", "Conv c"], ["Conv c", "ConvTranspose y"]])
    }

    /// What is no set: the weights stay what they are.
    static let broken: [(name: String, outputs: [String], build: Build)] = [
        ("Add", ["y"], { $0.node("Add", "a x2", "b") }), ("Sigmoid", ["y"], { $0.node("Sigmoid", "a", "b") }),
        ("HardSwish", ["y"], { $0.node("HardSwish", "a", "b") }),
        ("Concat", ["y"], { $0.node("Concat", "a", "b", ["axis": .int(1)]) }),
        ("an output", ["y", "a"], { $0.node("Relu", "a", "b") }),
        ("an output behind Relu", ["y", "b"], { $0.node("Relu", "a", "b") }),
        (
            "another consumer", ["y", "z"],
            {
                $0.node("Relu", "a", "b")
                $0.node("Tanh", "b", "z")
            }
        ),
        (
            "Pad with ones", ["y"],
            {
                $0.integers("pads", [0, 0, 1, 1, 0, 0, 1, 1])
                $0.constant("one", [], [1])
                $0.node("Pad", "a pads one", "b")
            }
        ),
        (
            "Pad of samples", ["y"],
            {
                $0.integers("pads", [1, 0, 0, 0, 0, 0, 0, 0])
                $0.node("Pad", "a pads", "b")
            }
        ),
        (
            "Clip from -1", ["y"],
            {
                $0.constant("low", [], [-1])
                $0.node("Clip", "a low", "b")
            }
        ),
        (
            "a weight of two layers", ["y", "z"],
            {
                $0.node("Relu", "a", "b")
                $0.node("Conv", "x a.w", "z")
            }
        ),
        (
            "a bias that is an output", ["y", "a.b"], { $0.node("Relu", "a", "b") }
        ),
        (
            "channels that are mixed", ["y"],
            {
                $0.integers("extents", [2, 8, 4, 8])
                $0.node("Reshape", "a extents", "c")
                $0.integers("back", [2, 4, 8, 8])
                $0.node("Reshape", "c back", "b")
            }
        ),
    ]

    @Test(arguments: broken) func whatBreaksASet(_ name: String, _ outputs: [String], _ build: Build) throws {
        var layers = LayerGraph(outputs: outputs)
        layers.constant("x2", [2, 4, 8, 8])
        layers.conv("x", "a", from: 3, to: 4, spread: 3)
        build(&layers)
        layers.conv("b", "y", from: 4, to: 5)
        let outcome = CrossLayerEqualization.equalize(layers.graph)
        #expect(outcome.sets.isEmpty, "\(name)")
        #expect(outcome.graph.constants == layers.graph.constants)
        #expect(outcome.graph.nodes == layers.graph.nodes)
    }

    /// What has a grid of its own stays what it is.
    @Test(arguments: ["a", "b", "a.w", "y.b"]) func whatIsKeptBreaksASet(_ name: String) throws {
        var layers = LayerGraph()
        layers.conv("x", "a", from: 3, to: 4, spread: 3)
        layers.node("Relu", "a", "b")
        layers.conv("b", "y", from: 4, to: 5)
        #expect(CrossLayerEqualization.equalize(layers.graph, keeping: [name]).sets.isEmpty)
        #expect(CrossLayerEqualization.equalize(layers.graph).sets.count == 1)
    }

    /// Equalizes and expects the same function.
    private func equalize(_ graph: Graph) throws -> CrossLayerEqualization.Outcome {
        let outcome = CrossLayerEqualization.equalize(graph)
        try outcome.graph.validate()
        let (before, after) = (try LayerGraph.outputs(of: graph), try LayerGraph.outputs(of: outcome.graph))
        #expect(relativeDifference(after, before) < 1e-5)
        return outcome
    }
}
