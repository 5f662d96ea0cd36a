import ArgumentParser
import Foundation
import App
import JobFile

struct InferCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "infer", abstract: "Computes a model's outputs, in FP32 or fake-quantized.")

    @Argument(help: "The ONNX model.", completion: .file(extensions: ["onnx"]), transform: nonEmptyPath)
    var model: String

    @Option(
        help: ArgumentHelp("Arrays named by input tensor.", valueName: "npz"), completion: .file(extensions: ["npz"]),
        transform: nonEmptyPath)
    var input: String

    @Option(
        help: ArgumentHelp("Receives all graph outputs.", valueName: "npz"), completion: .file(extensions: ["npz"]),
        transform: nonEmptyPath)
    var output: String

    @Option(
        help: ArgumentHelp("Quantize with this encodings file.", valueName: "file"), completion: .file(),
        transform: nonEmptyPath)
    var encodings: String?

    var options: InferenceOptions {
        InferenceOptions(
            model: URL(fileURLWithPath: model), input: URL(fileURLWithPath: input),
            output: URL(fileURLWithPath: output), encodings: encodings.map { URL(fileURLWithPath: $0) })
    }

    func run() throws {
        try Inference.run(options)
    }
}

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Prints a model, an encodings file or a journal, readable; or where a model is quantized, and why.")

    @Argument(help: "The file.", completion: .file(), transform: nonEmptyPath)
    var file: String

    @Option(
        help: ArgumentHelp(
            "Show where this config, built in or from a file, places quantizers on the model.", valueName: "name|file"),
        transform: nonEmptyPath)
    var config: String?

    @Option(
        help: ArgumentHelp(
            "Show where this job places quantizers on the model, its overrides and encodings files included.",
            valueName: "file"), completion: .file(extensions: ["yml", "yaml"]), transform: nonEmptyPath)
    var job: String?

    @Option(
        help: ArgumentHelp(
            "With --config or --job: everything that was done to the quantizer of this tensor.", valueName: "name"))
    var tensor: String?

    @Flag(help: "With --config: leave batch norms in the model, which are folded otherwise.")
    var keepBatchNorms = false

    @Option(help: ArgumentHelp("With --config: bits of activations, 8 by default.", valueName: "bits"))
    var activationBitwidth: Int?

    @Option(help: ArgumentHelp("With --config: bits of parameters, 8 by default.", valueName: "bits"))
    var parameterBitwidth: Int?

    func validate() throws {
        let known = JobFile.Quantization.bitwidths
        guard [activationBitwidth, parameterBitwidth].allSatisfy({ $0.map(known.contains) ?? true }) else {
            throw ValidationError("a bit width is a whole number from \(known.lowerBound) to \(known.upperBound)")
        }
        let hasSettings = keepBatchNorms || activationBitwidth != nil || parameterBitwidth != nil
        guard config != nil || !hasSettings else {
            throw ValidationError("--keep-batch-norms and bit widths need --config")
        }
        guard tensor == nil || config != nil || job != nil else {
            throw ValidationError("--tensor needs --config or --job")
        }
        guard config == nil || job == nil else {
            throw ValidationError("a job has a config of its own: --config or --job")
        }
    }

    func run() throws {
        let url = URL(fileURLWithPath: file)
        let rules: PlacementInspectionOptions.Rules
        if let job {
            rules = .job(job)
        } else if let config {
            rules = .config(
                PlacementInspectionOptions.Config(
                    name: config, foldsBatchNorms: !keepBatchNorms, activationBitwidth: activationBitwidth ?? 8,
                    parameterBitwidth: parameterBitwidth ?? 8))
        } else {
            return print(try Inspection.describe(url))
        }
        print(
            try Inspection.describePlacement(PlacementInspectionOptions(model: url, rules: rules, tensor: tensor)))
    }
}
