import App
import Foundation
import Quantization
import Simulation
import Tensors
import Testing
import TestSupport

/// `quantsim inspect MODEL --config …`.
struct PlacementInspectionTests {
    private func inspect(config: String = "htp_v73", tensor: String? = nil) throws -> String {
        try inspect(tensor: tensor) { _ in
            .config(.init(name: config, foldsBatchNorms: true, activationBitwidth: 8, parameterBitwidth: 4))
        }
    }

    /// - Parameter job: the section `quantization`, and files beside the job.
    private func inspect(job: String, files: [String: Data] = [:], tensor: String? = nil) throws -> String {
        try inspect(tensor: tensor) { folder in
            for (name, data) in files { try folder.write(data, to: name) }
            let text = """
                model: other.onnx
                dataset: {calibration: {path: none.npz}}
                quantization:
                \(job)
                """
            try folder.write(Data(text.utf8), to: "job.yml")
            return .job(folder.url.appendingPathComponent("job.yml").path)
        }
    }

    private func inspect(
        tensor: String?, under rules: (ScratchFolder) throws -> PlacementInspectionOptions.Rules
    ) throws -> String {
        let folder = try ScratchFolder()
        var builder = ModelBuilder()
        builder.input("x", "1", "2", "4", "4")
        builder.constant("weight", Tensor(shape: [2, 2, 1, 1], [Float](arrayLiteral: 1, 2, 3, 4)))
        builder.node("Conv", ["x", "weight"], ["conv"], name: "first")
        builder.node("Relu", ["conv"], ["relu"], name: "second")
        builder.node("Flatten", ["relu"], ["y"], name: "third")
        builder.output("y", "1", "32")
        let model = folder.url.appendingPathComponent("model.onnx")
        try builder.file.write(to: model)
        return try Inspection.describePlacement(
            PlacementInspectionOptions(model: model, rules: try rules(folder), tensor: tensor))
    }

    @Test func tableOfAllQuantizers() throws {
        let lines = try inspect().split(separator: "\n").map { $0.split(separator: " ").joined(separator: " ") }
        #expect(lines.contains("activations: 2 of 3 quantized"))
        #expect(lines.contains("x yes 8 asymmetric model_input.is_input_quantized"))
        #expect(lines.contains("conv no supergroups[3] (Conv+Relu) first"))
        #expect(lines.contains("relu yes 8 asymmetric 0.0 to observed defaults.ops.is_output_quantized second"))
        #expect(lines.contains("parameters: 1 of 1 quantized"))
        #expect(lines.contains("weight yes 4 symmetric 0 defaults.params.is_quantized"))
    }

    @Test func historyOfOneQuantizer() throws {
        let lines = try inspect(tensor: "weight").split(separator: "\n")
            .map { $0.split(separator: " ").joined(separator: " ") }
        #expect(lines.first == "parameter weight: quantized, 4, symmetric, 0")
        #expect(lines.contains("one encoding per index of axis 0 op_type.Conv.per_channel_quantization first"))
        #expect(lines.last == "4 bits requested bit width")
    }

    @Test func whatIsNotThereIsRefused() throws {
        let tensor = #expect(throws: SimulationError.self) { try inspect(tensor: "y") }
        #expect(tensor?.code == .unknownTensor && tensor?.tensor == "y")
        let config = #expect(throws: SimulationError.self) { try inspect(config: "htp_v72") }
        #expect(config?.code == .unknownConfig && config?.found == "htp_v72")
    }

    @Test func jobsWithOverridesAndEncodings() throws {
        let file = EncodingsFile(
            activations: ["x": TensorEncodings(.fromRange(min: 0, max: 1, bitwidth: 6, symmetric: false))],
            parameters: [:])
        let files = ["f.encodings": try file.write(version: .v1_0_0)]
        let quantization = """
              config: htp_v73
              overrides: [{ops: Conv, parameters: {bitwidth: 4}}, {tensors: conv, enabled: true}]
              encodings: {file: f.encodings, frozen: true}
            """
        let lines = try inspect(job: quantization, files: files).split(separator: "\n")
            .map { $0.split(separator: " ").joined(separator: " ") }
        #expect(lines.contains("x yes 6 asymmetric of a file, frozen encodings[0] (f.encodings)"))
        #expect(lines.contains("conv yes 8 asymmetric overrides[1]"))
        #expect(lines.contains("weight yes 4 symmetric 0 defaults.params.is_quantized"))
        let weight = try inspect(job: quantization, files: files, tensor: "weight").split(separator: "\n")
        #expect(weight.last?.split(separator: " ").joined(separator: " ") == "4 bits overrides[0] first")
    }

    @Test(arguments: [
        (
            "overrides: [{tensors: wieght, bitwidth: 4}]",
            "job.yml, line 4, quantization.overrides[0].tensors: expected a tensor of the model with a quantizer, on or off, found wieght, did you mean \"weight\"?"
        ),
        (
            "overrides: [{nodes: [frist], outputs: {bitwidth: 4}}]",
            "quantization.overrides[0].nodes[0]: expected a node of the model, found frist, did you mean \"first\"?"
        ),
        ("overrides: [{tensors: y, bitwidth: 4}]", "(this one is on the grid of \"relu\"), found y"),
        (
            "encodings: [{file: f.encodings, tensors: [z]}]",
            "quantization.encodings[0].tensors[0]: expected a tensor of f.encodings, found z"
        ),
        ("encodings: none.encodings", "none.encodings: cannot be read: No such file or directory"),
    ])
    func sentencesNameTheKey(_ line: String, _ sentence: String) throws {
        let file = EncodingsFile(
            activations: ["x": TensorEncodings(.fromRange(min: 0, max: 1, bitwidth: 8, symmetric: false))],
            parameters: [:])
        let error = #expect(throws: (any Error).self) {
            try inspect(job: "  " + line, files: ["f.encodings": try file.write(version: .v1_0_0)])
        }
        let found = try Failure(#require(error)).sentence
        #expect(found.contains(sentence), "\(found)")
    }
}
