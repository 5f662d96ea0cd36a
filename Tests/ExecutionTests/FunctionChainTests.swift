import Execution
import Graph
import Nodes
import Operators
import Tensors
import Testing

/// Functions of one element behind an operator, the same one twice among them, against the interpreter: however much of it
/// is fused, and in the layouts that convolutions leave behind, whose channels may not fill up the last block.
struct FunctionChainTests {
    /// Op types, one behind the other; `Clip` bounds alternate.
    static let chains = [
        ["Clip", "Clip"], ["Clip", "Exp", "Clip"], ["Neg", "Relu", "Neg"], ["Exp", "Neg", "Sigmoid", "Neg"],
        ["Relu", "Exp"], ["Clip"],
    ]

    @Test(arguments: chains, [1, 3, 8, 16, 17])
    func behindConvolutionsAndAdditions(_ chain: [String], channels: Int) throws {
        for (opType, operands) in [("Conv", ["x", "kernel"]), ("Add", ["y", "y"]), ("Mul", ["y", "perChannel"])] {
            var nodes = [node("Conv", ["x", "kernel"], "y"), node(opType, operands, "start")]
            append(chain, to: &nodes)
            try check(nodes, input: [2, channels, 5, 5], channels: channels)
        }
    }

    @Test(arguments: chains, [Float(1), 0.5])
    func behindMatrixProducts(_ chain: [String], alpha: Float) throws {
        for inputs in [["x", "matrix"], ["x", "x"], ["x", "x", "matrix"]] {
            var nodes = [
                Node(
                    name: "Gemm", opType: "Gemm", inputs: inputs, outputs: ["start"],
                    attributes: ["alpha": .float(alpha)])
            ]
            append(chain, to: &nodes)
            try check(nodes, input: [9, 9], channels: 9)
        }
    }

    /// The samples of a channel block would follow each other.
    @Test(arguments: [1, 2, 3])
    func behindConcatenationsOfSeveralLayouts(samples: Int) throws {
        var nodes = [
            node("Conv", ["x", "kernel"], "y"),
            Node(
                name: "Concat", opType: "Concat", inputs: ["y", "x"], outputs: ["start"],
                attributes: ["axis": .int(1)]),
        ]
        append(["Exp", "Clip"], to: &nodes)
        for channels in [1, 5, 8, 9, 16, 17] {
            try check(nodes, input: [samples, channels, 4, 4], channels: channels)
        }
    }

    // MARK: Networks

    private func node(_ opType: String, _ inputs: [String], _ output: String) -> Node {
        Node(name: "\(opType) \(output)", opType: opType, inputs: inputs, outputs: [output])
    }

    private func append(_ chain: [String], to nodes: inout [Node]) {
        for (index, opType) in chain.enumerated() {
            let bounds = opType == "Clip" ? (index == 0 ? ["low", "high"] : ["middle", "high"]) : []
            let value = index == 0 ? "start" : "f\(index)"
            nodes.append(node(opType, [value] + bounds, index == chain.count - 1 ? "end" : "f\(index + 1)"))
        }
    }

    private func check(_ nodes: [Node], input: Shape, channels: Int) throws {
        func info(_ name: String) -> ValueInfo { ValueInfo(name: name, elementType: .float32, dimensions: nil) }
        var random = CounterRandom(key: 0x6368_6169, UInt64(channels))
        func normal(_ shape: Shape) -> Tensor {
            Tensor(shape: shape, (0..<shape.count).map { _ in random.normal() })
        }
        let graph = Graph(
            name: "chain", inputs: [info("x")], outputs: [info("end")], nodes: nodes,
            constants: [
                "kernel": normal([channels, channels, 1, 1]), "perChannel": normal([channels, 1, 1]),
                "matrix": normal([9, 9]), "low": Tensor(scalar: Float(-2)), "middle": Tensor(scalar: Float(0.5)),
                "high": Tensor(scalar: Float(2)),
            ], opsetVersion: 17)
        let specialized = try graph.specialized(inputShapes: ["x": input])
        let x = ["x": normal(input)]
        let expected = try #require(ReferenceInterpreter(graph: specialized).values(for: x)["end"]).elements
        let plan = try Plan(specialized, weights: WeightStore())
        try plan.run(x)
        let range = max(expected.map(abs).max() ?? 0, 1)
        for (found, expected) in zip(plan.output("end"), expected) {
            guard abs(Double(found) - expected) <= 2e-5 * range else {
                Issue.record("\(nodes.map(\.name)) of \(input): \(found), the interpreter has \(expected)")
                return
            }
        }
    }
}
