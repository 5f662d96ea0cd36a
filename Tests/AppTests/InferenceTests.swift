import App
import Foundation
import Graph
import Nodes
import ONNX
import Operators
import Tensors
import TestSupport
import Testing

/// `quantsim infer` on small models, written to files as a user has them.
struct InferenceTests {
    /// Inputs whose first axes are not of samples are computed whole.
    @Test func firstAxesThatDiffer() throws {
        let y = try infer(
            inputs: ["x": ["rows", 2], "z": ["one", 2]],
            nodes: [Node(name: "add", opType: "Add", inputs: ["x", "z"], outputs: ["y"])],
            arrays: [
                "x": Tensor(shape: [3, 2], [Float](arrayLiteral: 1, 2, 3, 4, 5, 6)),
                "z": Tensor(shape: [1, 2], [Float(10), 20]),
            ])
        #expect(y == Tensor(shape: [3, 2], [Float](arrayLiteral: 11, 22, 13, 24, 15, 26)))
    }

    @Test func scalars() throws {
        let y = try infer(
            inputs: ["x": []], nodes: [Node(name: "neg", opType: "Neg", inputs: ["x"], outputs: ["y"])],
            arrays: ["x": Tensor(scalar: Float(2))])
        #expect(y == Tensor(scalar: Float(-2)))
    }

    @Test func modelWithoutNodes() throws {
        let x = Tensor(shape: [5, 2], (0..<10).map(Float.init))
        #expect(try infer(inputs: ["y": ["batch", 2]], nodes: [], arrays: ["y": x]) == x)
    }

    /// Exported with the batch of an example, which nothing depends on.
    @Test(arguments: [1, 2, 7]) func batchThatTheModelFixesByChance(_ count: Int) throws {
        let x = Tensor(shape: [count, 2], (1...2 * count).map(Float.init))
        let y = try infer(
            inputs: ["x": [4, 2]], nodes: [Node(name: "neg", opType: "Neg", inputs: ["x"], outputs: ["y"])],
            arrays: ["x": x])
        #expect(y == Tensor(shape: [count, 2], (1...2 * count).map { -Float($0) }))
    }

    /// A Reshape that names the batch: sample after sample.
    @Test func batchOfOne() throws {
        let x = Tensor(shape: [3, 2, 2], (1...12).map(Float.init))
        let y = try infer(
            inputs: ["x": [1, 2, 2]],
            nodes: [
                Node(name: "flat", opType: "Reshape", inputs: ["x", "extents"], outputs: ["flat"]),
                Node(name: "neg", opType: "Neg", inputs: ["flat"], outputs: ["y"]),
            ], constants: ["extents": Tensor(shape: [2], [Int64(1), 4])], arrays: ["x": x])
        #expect(y == Tensor(shape: [3, 4], (1...12).map { -Float($0) }))
    }

    /// The maximum of nothing and of -inf alone is -inf, the minimum inf, as in ONNX Runtime 1.32.
    @Test(arguments: [("ReduceMax", -Float.infinity), ("ReduceMin", .infinity)])
    func extremaOfNothing(_ kind: String, _ expected: Float) throws {
        let x = Tensor(shape: [3, 2], [-Float.infinity, -.infinity, .infinity, .infinity, 1, 2])
        func extremum(of value: String) -> Node {
            Node(
                name: kind, opType: kind, inputs: [value], outputs: ["y"],
                attributes: ["axes": .ints([1]), "keepdims": .int(1)])
        }
        let all = try infer(inputs: ["x": ["rows", 2]], nodes: [extremum(of: "x")], arrays: ["x": x])
        #expect(all == Tensor(shape: [3, 1], [-Float.infinity, .infinity, kind == "ReduceMax" ? 2 : 1]))
        let ints = ["zero": Tensor(shape: [1], [Int64(0)]), "one": Tensor(shape: [1], [Int64(1)])]
        let none = Node(name: "none", opType: "Slice", inputs: ["x", "zero", "zero", "one"], outputs: ["none"])
        let nothing = try infer(
            inputs: ["x": ["rows", 2]], nodes: [none, extremum(of: "none")], constants: ints, arrays: ["x": x])
        #expect(nothing == Tensor(shape: [3, 1], [expected, expected, expected]))
    }

    /// A constant that is sliced with a step beyond all extents, which overflowed as a distance in memory.
    @Test func stepsBeyondTheExtents() throws {
        func ints(_ values: Int...) -> Tensor { Tensor(shape: [values.count], values.map(Int64.init)) }
        let table = Tensor(shape: [3, 4], (0..<12).map(Float.init))
        for step in [Int.max, 1 << 62, 4] {
            let y = try infer(
                inputs: ["x": ["rows", 1]],
                nodes: [
                    Node(
                        name: "cut", opType: "Slice", inputs: ["table", "starts", "ends", "axes", "steps"],
                        outputs: ["cut"]),
                    Node(name: "sum", opType: "Add", inputs: ["x", "cut"], outputs: ["y"]),
                ],
                constants: [
                    "table": table, "starts": ints(1, 1), "ends": ints(.max, 4), "axes": ints(0, 1),
                    "steps": ints(step, step),
                ], arrays: ["x": Tensor(shape: [1, 1], [Float(10)])])
            #expect(y == Tensor(shape: [1, 1], [Float(15)]))
        }
    }

    /// 478 bytes that describe a network of 300 GB are refused before any of it is allocated.
    @Test func whatNoMachineHasRoomFor() throws {
        let error = #expect(throws: (any Error).self) {
            try infer(
                inputs: ["x": ["batch", 1, 4, 4]],
                nodes: [
                    Node(
                        name: "conv", opType: "Conv", inputs: ["x", "w"], outputs: ["y"],
                        attributes: ["pads": .ints([100_000, 100_000, 100_000, 100_000])])
                ], constants: ["w": Tensor(shape: [1, 1, 3, 3], [Float](repeating: 1, count: 9))],
                arrays: ["x": Tensor(shape: [2, 1, 4, 4], [Float](repeating: 1, count: 32))])
        }
        let failure = Failure(try #require(error))
        #expect(failure.sentence.contains("the network takes too much memory"), "\(failure.sentence)")
        #expect(failure.sentence.contains("QUANTSIM_PLAN_MEMORY_GIB"), "\(failure.sentence)")
        #expect(failure.exitReason == .permanent)
    }

    /// What oneDNN does not take is the model's fault.
    @Test func moreInputsThanConcatTakes() throws {
        let error = #expect(throws: (any Error).self) {
            try infer(
                inputs: ["x": ["batch", 2]],
                nodes: [
                    Node(
                        name: "join", opType: "Concat", inputs: [String](repeating: "x", count: 5000), outputs: ["y"],
                        attributes: ["axis": .int(1)])
                ], arrays: ["x": Tensor(shape: [2, 2], [Float](repeating: 1, count: 4))])
        }
        #expect(Failure(try #require(error)).exitReason == .permanent)
    }

    @Test func wrongShapeIsRefused() throws {
        #expect(throws: (any Error).self) {
            try infer(
                inputs: ["x": ["batch", 2]], nodes: [Node(name: "neg", opType: "Neg", inputs: ["x"], outputs: ["y"])],
                arrays: ["x": Tensor(shape: [3, 5], [Float](repeating: 0, count: 15))])
        }
    }

    /// The output `y`.
    /// - Parameter inputs: extents by name: numbers or symbols.
    private func infer(
        inputs: [String: [any Sendable]], nodes: [Node], constants: [String: Tensor] = [:], arrays: [String: Tensor]
    ) throws -> Tensor {
        let folder = try ScratchFolder()
        let declared = inputs.sorted { $0.key < $1.key }.map { name, extents in
            ValueInfo(
                name: name, elementType: .float32,
                dimensions: extents.map { ($0 as? Int).map { .fixed($0) } ?? .symbolic("\($0)") })
        }
        let graph = Graph(
            name: "model", inputs: declared, outputs: [ValueInfo(name: "y", elementType: .float32, dimensions: nil)],
            nodes: nodes, constants: constants, opsetVersion: 17)
        var empty = ONNXModelProto()
        empty.irVersion = 8
        var opset = ONNXOperatorSetIdProto()
        opset.version = 17
        empty.opsetImport = [opset]
        let model = folder.url.appendingPathComponent("model.onnx")
        try graph.exported(over: ONNXFile(model: empty, name: "model", directory: nil)).write(to: model)
        let (input, output) = (
            folder.url.appendingPathComponent("in.npz"), folder.url.appendingPathComponent("out.npz")
        )
        try NPZ.write(arrays.map { ($0.key, $0.value) }, to: input)
        try Inference.run(InferenceOptions(model: model, input: input, output: output, encodings: nil))
        return try #require(try NPZ.read(output).first { $0.name == "y" }).tensor
    }
}
