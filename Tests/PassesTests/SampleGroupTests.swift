import Cluster
import ClusterProtocol
import Datasets
import Execution
import Foundation
import Graph
import Nodes
import ONNX
import Operators
import Passes
import Quantization
import Tensors
import TestSupport
import Testing

/// Samples of different shapes in one shard.
@Suite struct SampleGroupTests {
    private static let dynamic: [PassSpecification.Input] = [
        .init(
            name: "input_ids", elementType: .int64, dimensions: [4], extents: [.symbol("length")], preprocessing: nil),
        .init(
            name: "attention_mask", elementType: .int64, dimensions: [4], extents: [.symbol("length")],
            preprocessing: nil),
    ]

    private static func pass(
        _ inputs: [PassSpecification.Input] = dynamic, model: Data = Data(), skips: Bool = false, tile: Int = 4,
        batch: Int = 4
    ) -> PassSpecification {
        PassSpecification(
            model: model, inputs: inputs, output: "scores", parameters: [:], tile: tile, batch: batch,
            skipsBadSamples: skips)
    }

    private static func sample(_ index: Int, length: Int, label: Int? = nil) -> Sample {
        Sample(
            key: "\(index)", source: "s.tar", content: .arrays(SentenceEncoder.sample(index, length: length)),
            label: label)
    }

    private func parts(_ samples: [Sample], _ pass: PassSpecification = pass()) throws -> [SampleBatch] {
        var parts: [SampleBatch] = []
        try SampleDecoding(pass).batches(of: samples).forEach { parts.append($0) }
        return parts
    }

    private func refusal(_ samples: [Sample], _ pass: PassSpecification) throws -> DatasetError {
        try #require(throws: DatasetError.self) { _ = try parts(samples, pass) }
    }

    @Test func groupsComeInTheOrderOfTheirFirstSamples() throws {
        let lengths = [5, 3, 5, 7, 3, 5]
        let samples = lengths.enumerated().map { Self.sample($0, length: $1, label: $0) }
        let found = try parts(samples)
        try #require(found.count == 1)
        let groups = found[0].groups
        #expect(groups.map { $0.shapes(samples: 1)["input_ids"] } == [[1, 5], [1, 3], [1, 7]])
        #expect(groups.map(\.labels) == [[0, 2, 5], [1, 4], [3]])
        for (group, members) in zip(groups, [[0, 2, 5], [1, 4], [3]]) {
            let expected = members.flatMap { index in
                SentenceEncoder.sample(index, length: lengths[index])["input_ids"]?.elements(as: Int64.self) ?? []
            }
            #expect(group.inputs["input_ids"]?.elements(as: Int64.self) == expected)
        }
    }

    /// A sample that is left out neither opens a group nor moves one.
    @Test func badSamplesLeaveNoTrace() throws {
        let bad = Sample(
            key: "bad", source: "s.tar",
            content: .arrays([
                "input_ids": Tensor(shape: [7], [Int64](repeating: 1, count: 7)),
                "attention_mask": Tensor(shape: [7], [Float](repeating: .nan, count: 7)),
            ]))
        let good = [5, 7, 5].enumerated().map { Self.sample($0, length: $1) }
        let pass = Self.pass(skips: true)
        let (clean, mixed) = (try parts(good, pass), try parts([bad] + good, pass))
        #expect(mixed[0].skipped == 1 && mixed[0].count == 3)
        #expect(mixed[0].groups.map(\.inputs) == clean[0].groups.map(\.inputs))
    }

    @Test func whatDoesNotFitIsNamed() throws {
        var arrays = SentenceEncoder.sample(0, length: 5)
        arrays["attention_mask"] = Tensor(shape: [4], [Int64](repeating: 1, count: 4))
        let uneven = Sample(key: "u", source: "s.tar", content: .arrays(arrays))
        let error = try refusal([Self.sample(0, length: 3), uneven], Self.pass())
        #expect(error.code == .corruptArray && error.key == "u" && error.file == "s.tar")
        #expect(error.expected == "attention_mask of shape [length = 5]" && error.found == "[4]")

        let fixed = PassSpecification.Input(
            name: "input_ids", elementType: .int64, dimensions: [4], preprocessing: nil)
        #expect(try refusal([Self.sample(1, length: 5)], Self.pass([fixed])).expected == "input_ids of shape [4]")
        let open = PassSpecification.Input(
            name: "input_ids", elementType: .int64, dimensions: [2, 2], extents: [.any, .fixed(2)], preprocessing: nil)
        #expect(try refusal([Self.sample(1, length: 4)], Self.pass([open])).expected == "input_ids of shape [?, 2]")
    }

    // MARK: Types

    private func converted(_ array: Tensor, to type: ElementType) throws -> Tensor? {
        let input = PassSpecification.Input(
            name: "x", elementType: type, dimensions: array.shape.dimensions, preprocessing: nil)
        let sample = Sample(key: "k", source: "x.npz", content: .arrays(["x": array]))
        return try parts([sample], Self.pass([input]))[0].groups.first?.inputs["x"]
    }

    @Test func integersAreConvertedWhereTheTypeHoldsThem() throws {
        let small = Tensor(shape: [3], [Int32(-1), 0, 127])
        #expect(try converted(small, to: .int64) == Tensor(shape: [1, 3], [Int64(-1), 0, 127]))
        #expect(try converted(small, to: .int8) == Tensor(shape: [1, 3], [Int8(-1), 0, 127]))
        let large = Tensor(shape: [2], [UInt64(1) << 63, 3])
        #expect(try converted(Tensor(shape: [2], [Int64(1), 0]), to: .bool) == Tensor(shape: [1, 2], [true, false]))
        #expect(try converted(Tensor(shape: [2], [true, false]), to: .int64) == Tensor(shape: [1, 2], [Int64(1), 0]))
        let refused: [(Tensor, ElementType, String)] = [
            (small, .uint8, "int32 with -1 at [0]"), (large, .int64, "uint64 with 9223372036854775808 at [0]"),
            (Tensor(shape: [2], [Int64(0), 300]), .int8, "int64 with 300 at [1]"),
            (Tensor(shape: [2], [Int64(0), 2]), .bool, "int64 with 2 at [1]"),
            (Tensor(shape: [1], [Float(3)]), .int64, "float32"), (Tensor(shape: [1], [Float(1)]), .bool, "float32"),
        ]
        for (array, type, found) in refused {
            let error = try #require(throws: DatasetError.self) { _ = try converted(array, to: type) }
            #expect(error.code == .corruptArray && error.key == "k" && error.file == "x.npz")
            #expect(error.found == found && error.expected.contains("x of \(type.rawValue)"))
        }
    }

    @Test func fractionsAreRounded() throws {
        let third = Tensor(shape: [1], [1.0 / 3])
        #expect(try converted(third, to: .float32)?.elements(as: Float.self) == [Float(1.0 / 3)])
        #expect(try converted(third, to: .float16)?.elements(as: Float16.self) == [Float16(1.0 / 3)])
        #expect(try converted(Tensor(shape: [1], [Float16(0.5)]), to: .float64)?.elements(as: Double.self) == [0.5])
        #expect(try converted(Tensor(shape: [1], [UInt8(255)]), to: .float16)?.elements(as: Float16.self) == [255])
        // Beyond the type's range is infinity, which is refused.
        let error = try #require(throws: DatasetError.self) {
            _ = try converted(Tensor(shape: [1], [Float(1e6)]), to: .float16)
        }
        #expect(error.code == .notFinite)
    }

    @Test func conversionsAreCalledWhatTheyAre() {
        let expected: [(ElementType, ElementType, SampleConversion?)] = [
            (.float32, .float32, SampleConversion.none), (.float16, .float32, .exact), (.bfloat16, .float32, .exact),
            (.float64, .float32, .rounded), (.float16, .bfloat16, .rounded), (.bfloat16, .float16, .rounded),
            (.uint8, .float32, .exact), (.int16, .float32, .exact), (.uint16, .float16, .rounded),
            (.int32, .float32, .rounded), (.int32, .float64, .exact), (.int64, .float64, .rounded),
            (.bool, .float32, .exact), (.uint8, .bfloat16, .exact), (.int32, .int64, .exact),
            (.uint32, .int64, .exact), (.uint64, .int64, .whereHeld), (.int64, .int32, .whereHeld),
            (.int8, .uint8, .whereHeld), (.bool, .int8, .exact), (.int64, .bool, .whereHeld), (.float32, .int64, nil),
            (.float16, .bool, nil),
        ]
        for (array, input, conversion) in expected {
            #expect(SampleConversion(from: array, to: input) == conversion, "\(array) to \(input)")
        }
    }

    // MARK: Through the model

    private static func calibrate(_ samples: [Sample], _ model: Data, _ pass: PassSpecification) throws
        -> CalibrationResult
    {
        let workload = Calibration(pass, observed: ["input", "tokens", "attention", "hidden", "sentence", "scores"])
        let executor = try PassExecutors { ShardFailure(permanent: true, code: "\($0)") }.makeExecutor(
            descriptor: workload.encoded(), isa: try #require(ComputeLibrary.supportedInstructionSets.last).rawValue,
            artifacts: { _ in model })
        func compute<Executor: ShardExecutor>(_ executor: Executor) throws -> Data {
            let lane = try executor.makeLane(keeping: LaneMemory())
            return try lane.compute(executor.prepare(shard: 0, payload: ShardPayload(samples: samples).encoded()))
        }
        return try CalibrationResult(decoding: compute(executor))
    }

    /// A shard of several shapes is its groups one after the other, each as if it were a shard of its own.
    @Test func aShardIsTheSumOfItsGroups() throws {
        let model = try SentenceEncoder.model().file.encoded()
        let pass = Self.pass(model: ArtifactID(of: model).bytes)
        let lengths = (0..<24).map { [4, 9, 2, 4, 6][$0 % 5] }
        let samples = lengths.enumerated().map { Self.sample($0, length: $1) }
        let whole = try Self.calibrate(samples, model, pass)
        var sum = CalibrationResult()
        for length in [9, 4, 2, 6] {
            sum.merge(try Self.calibrate(zip(lengths, samples).filter { $0.0 == length }.map(\.1), model, pass))
        }
        #expect(whole.samples == 24 && whole == sum)
        #expect(whole.statistics.tensors["scores"]?.count == UInt64(24 * SentenceEncoder.classes))
        #expect(whole.statistics.tensors["tokens"]?.count == UInt64(lengths.reduce(0, +) * 16))
    }

    /// A model that was exported for one length says that it takes others: the shape is looked at before anything is computed.
    @Test func aShapeThatMixesSamplesIsRefused() throws {
        // Rows of six elements, whichever sample they are of.
        var model = ModelBuilder()
        model.input("x", ["n", "length"])
        model.constant("rows", Tensor(shape: [2], [Int64(-1), 6]))
        model.constant("back", Tensor(shape: [2], [Int64(0), 0]))
        model.node("Reshape", ["x", "rows"], ["six"])
        model.node("Softmax", ["six"], ["soft"], integers: ["axis": 1])
        model.node("Shape", ["x"], ["shape"])
        model.node("Reshape", ["soft", "shape"], ["y"])
        model.output("y", ["n", "length"])
        let input = PassSpecification.Input(name: "x", dimensions: [6], extents: [.any], preprocessing: nil)
        let pass = PassSpecification(
            model: Data(), inputs: [input], output: "y", parameters: [:], tile: 4, skipsBadSamples: false)
        let tiles = SampleTiles(try Graph(importing: model.file), pass)
        func group(_ count: Int, length: Int) -> SampleGroup {
            SampleGroup(
                count: count,
                inputs: ["x": Tensor(shape: [count, length], [Float](repeating: 0, count: count * length))])
        }
        #expect(try tiles.tiles(of: group(7, length: 6)) == [0..<4, 4..<7])
        #expect(throws: GraphError.self) { _ = try tiles.tiles(of: group(6, length: 3)) }
    }

    @Test func tilesFollowFromTheShapeAlone() throws {
        let graph = try Graph(importing: SentenceEncoder.model().file)
        let tiles = SampleTiles(graph, Self.pass(tile: 8, batch: 8))
        let batch = try parts((0..<21).map { Self.sample($0, length: $0 < 8 ? 4 : 7) })[0]
        #expect(try tiles.tiles(of: batch.groups[0]) == [0..<8])
        #expect(try tiles.tiles(of: batch.groups[1]) == [0..<8, 8..<12, 12..<13])
    }
}
