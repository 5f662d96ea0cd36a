import Foundation
import Jobs
import Simulation
import Tensors
import TestSupport
import Testing

/// `quantsim inspect MODEL --config …`.
struct PlacementInspectionTests {
    private func inspect(config: String = "htp_v73", tensor: String? = nil) throws -> String {
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
            PlacementInspectionOptions(
                model: model,
                rules: .config(
                    .init(name: config, foldsBatchNorms: true, activationBitwidth: 8, parameterBitwidth: 4)),
                tensor: tensor))
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
}
