import App
import Foundation
import JobFile
import Quantization
import Simulation
import Support
import Testing
import TestSupport

/// Overrides and encodings files in a job file.
@Suite struct OverridesTests {
    private static func job(_ quantization: String, _ rest: String = "") throws -> JobFile {
        try JobFile(decoding: SmallJob.minimal + "\nquantization:\n" + quantization + "\n" + rest, file: "job.yml")
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
        struct Copy: Decodable {
            struct Quantization: Decodable {
                var overrides: [PlacementOverride]
                var encodings: [[String: JSONValue]]
            }
            var quantization: Quantization
        }
        let copy = try JSONDecoder().decode(Copy.self, from: JSONEncoder().encode(job)).quantization
        #expect(copy.overrides == expected)
        #expect(copy.encodings[0] == ["file": .string("base.encodings"), "frozen": .bool(false)])
        #expect(
            copy.encodings[1] == [
                "file": .string("more.encodings"), "tensors": .array([.string("*.weight")]), "frozen": .bool(true),
            ])
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
}
