import Foundation
import Jobs
import Quantization
import Simulation
import Tensors
import TestSupport
import Testing
import Training

/// Overrides and encodings files in a job file, and in a training.
@Suite struct PrecisionTests {
    private static func job(_ quantization: String, _ rest: String = "") throws -> JobFile {
        try JobFile(decoding: JobFileTests.minimal + "\nquantization:\n" + quantization + "\n" + rest, file: "job.yml")
    }

    private static func settings(_ change: (inout QuantizerOverride) -> Void) -> QuantizerOverride {
        var settings = QuantizerOverride()
        change(&settings)
        return settings
    }

    @Test func everythingThatAnEntryCanSay() throws {
        let job = try Self.job(
            """
              percentile: 99.9
              scheme: percentile
              overrides:
                - {tensors: "/conv1/*", bitwidth: 16, strict_symmetric: true, range: [-1, 2.5]}
                - tensors: [a, b]
                  enabled: false
                  symmetric: true
                  unsigned_symmetric: false
                  per_channel: true
                  scheme: percentile
                - ops: [Conv, Gemm]
                  inputs: {scheme: percentile, percentile: 99}
                  parameters: {bitwidth: 4, per_channel: false}
                - {nodes: last, outputs: {enabled: true}}
                - {ops: MatMul, inputs: {dtype: float16}, parameters: {dtype: int, block_size: 32}}
              encodings:
                - base.encodings
                - {file: more.encodings, tensors: "*.weight", frozen: true}
            """)
        let expected: [PlacementOverride] = [
            .tensors(
                ["/conv1/*"],
                Self.settings {
                    ($0.bitwidth, $0.strictSymmetric) = (16, true)
                    $0.range = EncodingConstraints(min: -1, max: 2.5)
                }),
            .tensors(
                ["a", "b"],
                Self.settings {
                    ($0.enabled, $0.symmetric, $0.unsignedSymmetric, $0.perChannel) = (false, true, false, true)
                    ($0.scheme, $0.percentile) = (.percentile, 99.9)
                }),
            .ops(
                ["Conv", "Gemm"],
                .init(
                    inputs: Self.settings { ($0.scheme, $0.percentile) = (.percentile, 99) },
                    parameters: Self.settings { ($0.bitwidth, $0.perChannel) = (4, false) })),
            .nodes(["last"], .init(outputs: Self.settings { $0.enabled = true })),
            .ops(
                ["MatMul"],
                .init(
                    inputs: Self.settings { $0.dataType = .float16 },
                    parameters: Self.settings { ($0.dataType, $0.blockSize) = (.int, 32) })),
        ]
        #expect(job.quantization.overrides == expected)
        #expect(job.quantization.encodings?.map(\.file) == ["base.encodings", "more.encodings"])
        #expect(job.quantization.encodings?.map(\.tensors) == [nil, ["*.weight"]])
        #expect(job.quantization.encodings?.map(\.isFrozen) == [false, true])
        // As the report repeats it.
        let copy = try JSONDecoder().decode(JobFile.self, from: JSONEncoder().encode(job))
        #expect(copy.quantization == job.quantization)
        #expect(try Self.job("  encodings: base.encodings").quantization.encodings?.count == 1)
        #expect(try Self.job("  config: default").quantization.overrides == nil)
    }

    @Test(arguments: [
        ("overrides: [{bitwidth: 4}]", "overrides[0]: expected one of tensors, ops or nodes, found none"),
        (
            "overrides: [{tensors: a, ops: b, bitwidth: 4}]",
            "overrides[0]: expected one of tensors, ops or nodes, found tensors and ops"
        ),
        (
            "overrides: [{tensors: a, bitwith: 4}]",
            "unknown key quantization.overrides[0].bitwith, did you mean \"bitwidth\"?"
        ),
        (
            "overrides: [{ops: a, bitwidth: 4}]",
            "unknown key quantization.overrides[0].bitwidth: expected inputs, outputs or parameters"
        ),
        (
            "overrides: [{ops: a, outputs: {per_channel: true}}]",
            "unknown key quantization.overrides[0].outputs.per_channel"
        ),
        ("overrides: [{tensors: a}]", "overrides[0]: expected one of enabled, dtype, bitwidth"),
        (
            "overrides: [{tensors: a, dtype: float16, bitwidth: 16}]",
            "overrides[0].bitwidth: expected dtype: int beside bitwidth, found dtype: float16"
        ),
        (
            "overrides: [{tensors: a, dtype: float8}]",
            "overrides[0].dtype"
        ),
        (
            "overrides: [{tensors: a, block_size: 4, per_channel: false}]",
            "overrides[0].block_size: expected per_channel: true, found per_channel: false"
        ),
        (
            "overrides: [{ops: a, inputs: {block_size: 4}}]",
            "unknown key quantization.overrides[0].inputs.block_size"
        ),
        ("overrides: [{nodes: a}]", "overrides[0]: expected one of inputs, outputs or parameters, found none"),
        ("overrides: [{tensors: [], bitwidth: 4}]", "overrides[0].tensors: expected at least one"),
        (
            "overrides: [{tensors: a, bitwidth: 1}]",
            "overrides[0].bitwidth: expected a whole number from 2 to 16, found 1"
        ),
        (
            "overrides: [{tensors: a, symmetric: false, strict_symmetric: true}]",
            "overrides[0].strict_symmetric: expected symmetric: true, found symmetric: false"
        ),
        (
            "overrides: [{tensors: a, percentile: 99}]",
            "overrides[0].percentile: expected scheme: percentile beside it, found no scheme"
        ),
        (
            "overrides: [{tensors: a, range: [1, 2]}]",
            "overrides[0].range: expected min below max, with zero between them, found [1.0, 2.0]"
        ),
        ("overrides: {tensors: a}", "overrides: expected a list of overrides"),
        ("encodings: [{tensors: a}]", "missing key quantization.encodings[0].file"),
    ])
    func entriesThatAreWrong(_ line: String, _ sentence: String) throws {
        let error = try #require(throws: JobError.self) { try Self.job("  " + line) }
        #expect(Failure(error).sentence.contains(sentence), "\(Failure(error).sentence)")
        #expect(Failure(error).sentence.hasPrefix("job.yml, line "))
    }

    @Test func encodingsAreOfFoldedWeights() throws {
        let training = """
            training: {steps: 1, optimizer: {name: sgd, learning_rate: 1}, batch_norms: kept}
            """
        let job = """
            model: m.onnx
            dataset: {calibration: {path: c.npz}, training: {path: t.npz}}
            quantization: {encodings: f.encodings}
            \(training)
            """
        let error = try #require(throws: JobError.self) { try JobFile(decoding: job, file: "job.yml") }
        #expect(error.code == .conflictingKeys && error.key == "quantization.encodings")
    }

    // MARK: Training

    /// Two weights of 4 bits, of which one has frozen encodings.
    private static func plan(
        _ ranges: ReplicaPlan.Ranges, _ weightEncodings: ReplicaPlan.WeightEncodings
    ) throws -> ReplicaPlan {
        let settings = QuantizerSettings(bitwidth: 4, symmetric: true, scheme: .tf)
        let start = TensorEncodings(settings.encoding(min: -1, max: 1))
        return ReplicaPlan(
            parameters: [("frozen", true), ("free", false)].map { name, isFrozen in
                .init(
                    name: name, dimensions: [4],
                    quantizer: .init(settings: settings, channelAxis: nil, start: start, isFrozen: isFrozen))
            },
            activations: [
                .init(name: "x", tensors: ["x"], start: start, isLearned: false),
                .init(name: "y", tensors: ["y"], start: start, isLearned: true),
            ], optimizer: try OptimizerSettings(.sgd(momentum: 0, nesterov: false), learningRate: 0.1), ranges: ranges,
            weightEncodings: weightEncodings, clipNorm: nil)
    }

    /// Frozen encodings stay in every mode; the others move where they move without any that are frozen.
    @Test(arguments: [
        (ReplicaPlan.Ranges.learned, ReplicaPlan.WeightEncodings.follow, true), (.static, .follow, true),
        (.static, .frozen, false),
    ])
    func frozenEncodingsStay(
        _ ranges: ReplicaPlan.Ranges, _ weightEncodings: ReplicaPlan.WeightEncodings, _ moves: Bool
    ) throws {
        let plan = try Self.plan(ranges, weightEncodings)
        let values: [Float] = [0.9, -0.7, 2, 0.3]
        let constants = ["frozen": Tensor(shape: [4], values), "free": Tensor(shape: [4], values)]
        var replica = try TrainingReplica(plan, of: constants)
        let start = try #require(plan.parameters[0].quantizer?.start)
        for step in 1...3 {
            let gradient = (0..<replica.gradientCount).map { Float($0 % 3) - 0.5 * Float(step) }
            try replica.step(gradient: gradient, learningRate: 0.05)
        }
        #expect(replica.parameterEncodings["frozen"] == start)
        #expect((replica.parameterEncodings["free"] != start) == moves)
        #expect(replica.activationEncodings["x"] == start)
        #expect((replica.activationEncodings["y"] != start) == (ranges == .learned))
        // The weights themselves train.
        #expect(replica.weights[0].tensor != constants["frozen"])
        let copy = try TrainingReplica(plan, decoding: replica.encoded())
        #expect(copy.digest == replica.digest && copy.parameterEncodings == replica.parameterEncodings)
    }

    /// Nothing of a frozen range is part of the state.
    @Test func frozenRangesAreNoState() throws {
        let layout = try Self.plan(.learned, .follow).stateLayout()
        #expect(layout.range(of: ReplicaPlan.parameterKey("frozen")) == nil)
        #expect(layout.range(of: ReplicaPlan.parameterKey("free"))?.count == 2)
    }
}
