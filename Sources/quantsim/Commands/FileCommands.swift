import ArgumentParser
import Foundation
import Jobs

struct InferCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "infer", abstract: "Computes a model's outputs, in FP32 or fake-quantized.")

    @Argument(help: "The ONNX model.", completion: .file(extensions: ["onnx"]))
    var model: String

    @Option(
        help: ArgumentHelp("Arrays named by input tensor.", valueName: "npz"), completion: .file(extensions: ["npz"]))
    var input: String

    @Option(help: ArgumentHelp("Receives all graph outputs.", valueName: "npz"), completion: .file(extensions: ["npz"]))
    var output: String

    @Option(help: ArgumentHelp("Quantize with this encodings file.", valueName: "file"), completion: .file())
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
        commandName: "inspect", abstract: "Prints a model, an encodings file or a journal, readable.")

    @Argument(help: "The file.", completion: .file())
    var file: String

    func run() throws {
        print(try Inspection.describe(URL(fileURLWithPath: file)))
    }
}
