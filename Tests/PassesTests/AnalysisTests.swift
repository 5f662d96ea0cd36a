import ClusterProtocol
import Datasets
import Execution
import Foundation
import Passes
import Quantization
import Simulation
import Tensors
import Testing
import TestSupport

/// An analysis of x [2] -> MatMul -> ReLU -> MatMul -> output [2], beside the same computed by hand. All numbers are
/// short enough for every order of operations to give the same bits.
@Suite struct AnalysisTests {
    private static let first: [Float] = [1.25, -0.5, 0.75, 1]
    private static let second: [Float] = [0.25, 1, -0.75, 0.5]
    private static let samples: [[Float]] = [[1.25, 2], [-0.75, 3.25], [0.5, 0.25], [2.75, -1.25], [3, 1.75]]
    private static let labels = [0, 1, 0, 1, 1]
    private static let grids: [String: Float] = ["x": 0.5, "activation": 1, "first": 0.5, "second": 0.5]
    private static let names = ["x", "activation", "first", "second"]

    private static func encoding(_ delta: Float) -> TensorEncodings {
        TensorEncodings(Encoding(bitwidth: 8, delta: Double(delta), offset: -128, steps: 255, symmetric: true))
    }

    private static func task(_ model: ArtifactID) -> Analysis {
        Analysis(
            PassSpecification(
                model: model.bytes,
                inputs: [PassSpecification.Input(name: "x", dimensions: [2], preprocessing: nil)], output: "output",
                parameters: ["first": encoding(0.5), "second": encoding(0.5)], tile: 2, skipsBadSamples: false),
            activations: ["x": encoding(0.5), "activation": encoding(1)],
            quantizers: names.map { name in
                let role: PlacedQuantizer.Role = ["first", "second"].contains(name) ? .parameter : .activation
                return AnalysisQuantizer(tensor: name, role: role, tensors: [name], bitwidth: 8)
            }, countsLabels: true)
    }

    /// Of no model.
    private static let task = task(ArtifactID(of: Data()))

    /// Activation and output of one sample with some tensors rounded.
    private func byHand(_ sample: [Float], _ on: Set<String>) -> (activation: [Float], output: [Float]) {
        func rounded(_ values: [Float], _ name: String) -> [Float] {
            guard on.contains(name), let delta = Self.grids[name] else { return values }
            return values.map { ($0 / delta).rounded(.toNearestOrEven) * delta }
        }
        func times(_ row: [Float], _ matrix: [Float]) -> [Float] {
            [row[0] * matrix[0] + row[1] * matrix[2], row[0] * matrix[1] + row[1] * matrix[3]]
        }
        let hidden = times(rounded(sample, "x"), rounded(Self.first, "first"))
        let activation = rounded(hidden.map { max($0, 0) }, "activation")
        return (activation, times(activation, rounded(Self.second, "second")))
    }

    private static func model(_ first: [Float] = first) throws -> Data {
        var model = ModelBuilder()
        model.input("x", ["n", "2"])
        model.constant("first", Tensor(shape: [2, 2], first))
        model.constant("second", Tensor(shape: [2, 2], second))
        model.node("MatMul", ["x", "first"], ["hidden"])
        model.node("Relu", ["hidden"], ["activation"])
        model.node("MatMul", ["activation", "second"], ["output"])
        model.output("output", ["n", "2"])
        return try model.file.encoded()
    }

    /// What samples without labels can say: the output of the quantized model beside that of the FP32 model, which may have
    /// other weights.
    @Test func agreementIsWhatOneComputesByHand() throws {
        let reference = try Self.model()
        let trained = try Self.model([1.25, -0.5, 0.75, -4])
        func agreement(_ model: Data) throws -> AgreementResult {
            let task = Agreement(
                Evaluation(Self.task(ArtifactID(of: model)).pass, activations: Self.task.activations),
                with: ArtifactID(of: reference).bytes)
            let executor = try PassExecutors { ShardFailure(permanent: true, code: "\($0)") }.makeExecutor(
                descriptor: task.encoded(), isa: try #require(ComputeLibrary.supportedInstructionSets.last).rawValue
            ) { id in try #require([reference, model].first { ArtifactID(of: $0) == id }) }
            let samples = Self.samples.map {
                Sample(key: "k", source: "x.npz", content: .arrays(["x": Tensor(shape: [2], $0)]), label: nil)
            }
            return try AgreementResult(
                decoding: SmallTraining.compute(executor, ShardPayload(samples: samples).encoded(), shard: 0))
        }
        let found = try agreement(reference)
        var (error, same) = (0.0, 0)
        for sample in Self.samples {
            let (own, expected) = (byHand(sample, Set(Self.names)).output, byHand(sample, []).output)
            for (x, y) in zip(own, expected) { error += Double(x - y) * Double(x - y) }
            same += (own[1] > own[0]) == (expected[1] > expected[0]) ? 1 : 0
        }
        #expect(found.samples == 5 && found.output.count == 10 && found.undefined == 0)
        #expect(found.output.meanSquaredError == error / 10)
        #expect(found.agreeingTop1 == same)
        #expect(try agreement(trained) != found)
    }

    private func analyze() throws -> AnalysisResult {
        let file = try Self.model()
        let executor = try PassExecutors { ShardFailure(permanent: true, code: "\($0)") }.makeExecutor(
            descriptor: Self.task(ArtifactID(of: file)).encoded(),
            isa: try #require(ComputeLibrary.supportedInstructionSets.last).rawValue
        ) { _ in file }
        let samples = zip(Self.samples, Self.labels).map { row, label in
            Sample(key: "k", source: "x.npz", content: .arrays(["x": Tensor(shape: [2], row)]), label: label)
        }
        var result = AnalysisResult()
        for block in 0..<Self.task.blockCount {
            let payload = AnalysisPayload(block: block, samples: ShardPayload(samples: samples).encoded()).encoded()
            result.merge(try AnalysisResult(decoding: SmallTraining.compute(executor, payload, shard: block)))
        }
        return result
    }

    @Test func everyVariantIsWhatOneComputesByHand() throws {
        let result = try analyze()
        #expect(result.variants.count == 12 && Self.task.variants.count == 12)
        for (index, variant) in Self.task.variants.enumerated() {
            let on = Self.task.tensors(in: variant)
            let found = try #require(result.variants[index])
            var (error, right) = (0.0, 0)
            for (sample, label) in zip(Self.samples, Self.labels) {
                let (own, reference) = (byHand(sample, on).output, byHand(sample, []).output)
                for (x, y) in zip(own, reference) { error += Double(x - y) * Double(x - y) }
                right += (own[1] > own[0] ? 1 : 0) == label ? 1 : 0
            }
            #expect(found.counts.samples == 5 && found.counts.labelled == 5 && found.output.count == 10)
            #expect(found.output.meanSquaredError == error / 10, "\(variant)")
            #expect(found.counts.top1 == right, "\(variant)")
        }
        #expect(try analyze().encoded() == result.encoded())
    }

    @Test func layersAreComparedAsTheyAreRounded() throws {
        let layers = try analyze().layers
        #expect(layers.keys.sorted() == ["activation", "x"])
        let on = Set(Self.names)
        var error = 0.0
        for sample in Self.samples {
            for (x, y) in zip(byHand(sample, on).activation, byHand(sample, []).activation) {
                error += Double(x - y) * Double(x - y)
            }
        }
        #expect(layers["activation"]?.meanSquaredError == error / 10)
        #expect(layers["activation"]?.count == 10)
    }

    @Test func variantsTurnQuantizersOnAndOff() {
        let task = Self.task
        #expect(task.tensors(in: .fp32) == [])
        #expect(task.tensors(in: .quantized) == Set(Self.names))
        #expect(task.tensors(in: .parametersOnly) == ["first", "second"])
        #expect(task.tensors(in: .activationsOnly) == ["x", "activation"])
        #expect(task.tensors(in: .on(2)) == ["first"])
        #expect(task.tensors(in: .off(2)) == ["x", "activation", "second"])
    }

    /// Every shard of samples with every block, whether shards before were read or passed over.
    @Test func shardsOfAllBlocks() throws {
        let scratch = try ScratchFolder()
        try NPZ.write(
            [("x", Tensor(shape: [70, 2], (0..<140).map { Float($0) }))],
            to: scratch.url.appendingPathComponent("data.npz"))
        let source = try DatasetSource(path: "data.npz", relativeTo: scratch.url)
        let task = Analysis(
            Self.task.pass, activations: [:],
            quantizers: (0..<20).map { .init(tensor: "\($0)", role: .activation, tensors: ["\($0)"], bitwidth: 8) },
            countsLabels: false)
        func shards() throws -> AnalysisShards {
            AnalysisShards(
                try SampleShards(source, inputElements: 5 << 15, batch: 16, skipsBadSamples: false), task)
        }
        var reading = try shards()
        var all: [Shard] = []
        while let shard = try reading.next() { all.append(shard) }
        #expect(task.blockCount == 3 && all.count == 9 && reading.count == 9)
        #expect(all.map(\.index) == Array(0..<9))
        #expect(all.reduce(0) { $0 + $1.sampleCount } == 70 * 44 && reading.sampleCount == 70 * 44)
        for pattern in 0..<512 {
            var shards = try shards()
            for (index, expected) in all.enumerated() {
                if pattern >> index & 1 == 0 {
                    #expect(try shards.skip())
                } else {
                    #expect(try shards.next() == expected)
                }
            }
            #expect(try shards.next() == nil)
        }
    }
}
