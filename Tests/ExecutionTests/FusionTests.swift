import Execution
import Graph
import Nodes
import Operators
import Primitives
import Tensors
import Testing

/// Which operators become one unit. Networks are written as nodes over the input `x` of shape [1, 4, 3, 3].
struct FusionTests {
    @Test func functionBehindAConvolution() throws {
        let nodes = [conv("x", "y"), relu("y", "z")]
        #expect(try units(nodes, outputs: ["z"]) == ["Conv+f -> z"])
    }

    @Test func functionsInTheirOrder() throws {
        let nodes = [conv("x", "y"), relu("y", "z"), node("Sigmoid", ["z"], "s")]
        #expect(try units(nodes, outputs: ["s"]) == ["Conv+f+f -> s"])
    }

    /// oneDNN would take the parameters of the first for both.
    @Test func twoFunctionsOfOneAlgorithm() throws {
        let nodes = [conv("x", "y"), node("Neg", ["y"], "n"), relu("n", "z"), node("Neg", ["z"], "m")]
        #expect(try units(nodes, outputs: ["m"]) == ["Conv+f+f -> z", "Neg -> m"])
    }

    @Test func clipWithConstantBounds() throws {
        let nodes = [conv("x", "y"), node("Clip", ["y", "low", "high"], "z")]
        #expect(try units(nodes, outputs: ["z"]) == ["Conv+f -> z"])
    }

    @Test func valueThatIsTapped() throws {
        let nodes = [conv("x", "y"), relu("y", "z")]
        #expect(try units(nodes, outputs: ["z"], taps: ["y"]) == ["Conv -> y", "Relu -> z"])
        #expect(try units(nodes, outputs: ["z"], taps: ["z"]) == ["Conv+f -> z"])
    }

    @Test func valueThatIsAnOutput() throws {
        let nodes = [conv("x", "y"), relu("y", "z")]
        #expect(try units(nodes, outputs: ["y", "z"]) == ["Conv -> y", "Relu -> z"])
    }

    @Test func valueWithTwoUsers() throws {
        let nodes = [conv("x", "y"), relu("y", "z"), node("Neg", ["y"], "n"), node("Add", ["z", "n"], "s")]
        #expect(try units(nodes, outputs: ["s"]) == ["Conv -> y", "Relu -> z", "Neg -> n", "Add -> s"])
    }

    @Test func residualAddition() throws {
        let nodes = [conv("x", "y"), node("Add", ["x", "y"], "s"), relu("s", "z")]
        #expect(try units(nodes, outputs: ["z"]) == ["Conv+sum(x)+f -> z"])
    }

    /// The later convolution takes the addition, since the earlier one's output must be there by then.
    @Test func additionOfTwoConvolutions() throws {
        let nodes = [conv("x", "a"), conv("x", "b"), node("Add", ["a", "b"], "s")]
        #expect(try units(nodes, outputs: ["s"]) == ["Conv -> a", "Conv+sum(a) -> s"])
    }

    @Test func addendThatIsComputedAfterTheConvolution() throws {
        let nodes = [conv("x", "a"), relu("x", "b"), node("Add", ["a", "b"], "s")]
        #expect(try units(nodes, outputs: ["s"]) == ["Conv -> a", "Relu -> b", "Add -> s"])
    }

    /// oneDNN would add before the function.
    @Test func additionBehindAFunction() throws {
        let nodes = [conv("x", "y"), relu("y", "z"), node("Add", ["z", "x"], "s")]
        #expect(try units(nodes, outputs: ["s"]) == ["Conv+f -> z", "Add -> s"])
    }

    @Test func secondAddition() throws {
        let nodes = [conv("x", "y"), node("Add", ["y", "x"], "s"), node("Add", ["s", "x"], "t")]
        #expect(try units(nodes, outputs: ["t"]) == ["Conv+sum(x) -> s", "Add -> t"])
    }

    @Test func additionOfAValueToItself() throws {
        let nodes = [conv("x", "y"), node("Add", ["y", "y"], "s")]
        #expect(try units(nodes, outputs: ["s"]) == ["Conv -> y", "Add -> s"])
    }

    @Test func additionOfAConstantOrABroadcastValue() throws {
        let constant = [conv("x", "y"), node("Add", ["y", "full"], "s")]
        #expect(try units(constant, outputs: ["s"]) == ["Conv -> y", "Add -> s"])
        let broadcast = [node("GlobalAveragePool", ["x"], "m"), conv("x", "y"), node("Add", ["y", "m"], "s")]
        #expect(try units(broadcast, outputs: ["s"]) == ["GlobalAveragePool -> m", "Conv -> y", "Add -> s"])
    }

    @Test func functionBehindAPool() throws {
        let nodes = [node("GlobalAveragePool", ["x"], "y"), relu("y", "z")]
        #expect(try units(nodes, outputs: ["z"]) == ["GlobalAveragePool -> y", "Relu -> z"])
    }

    // MARK: Networks

    private func node(_ opType: String, _ inputs: [String], _ output: String) -> Node {
        Node(name: "\(opType) \(output)", opType: opType, inputs: inputs, outputs: [output])
    }

    private func conv(_ input: String, _ output: String) -> Node { node("Conv", [input, "weight"], output) }

    private func relu(_ input: String, _ output: String) -> Node { node("Relu", [input], output) }

    /// Units as text: op type, what is fused behind it in order, and the value that it defines.
    private func units(_ nodes: [Node], outputs: [String], taps: Set<String> = []) throws -> [String] {
        func info(_ name: String) -> ValueInfo { ValueInfo(name: name, elementType: .float32, dimensions: nil) }
        let graph = Graph(
            name: "fusion", inputs: [info("x")], outputs: outputs.map(info), nodes: nodes,
            constants: [
                "weight": Tensor(shape: [4, 4, 1, 1], [Float](repeating: 1, count: 16)),
                "full": Tensor(shape: [1, 4, 3, 3], [Float](repeating: 1, count: 36)),
                "low": Tensor(scalar: Float(0)), "high": Tensor(scalar: Float(6)),
            ], opsetVersion: 17)
        let specialized = try graph.specialized(inputShapes: ["x": [1, 4, 3, 3]])
        return Fusion.units(of: specialized, taps: taps).map { unit in
            let post = unit.post.map { operation in
                if case .sum = operation { "+sum(\(unit.addend ?? "?"))" } else { "+f" }
            }
            return "\(unit.node.opType)\(post.joined()) -> \(unit.outputs.joined(separator: ", "))"
        }
    }
}
