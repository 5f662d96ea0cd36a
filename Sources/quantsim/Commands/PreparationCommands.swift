import App
import ArgumentParser
import Foundation
import Support

struct CheckCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check", abstract: "Says in seconds what a job would do, and whether it can run.")

    @Argument(help: "The job file.", completion: .file(extensions: ["yml", "yaml"]), transform: nonEmptyPath)
    var job: String

    func run() throws {
        let (text, reason) = try JobChecking.run(job)
        print(text, terminator: "")
        if reason != .done { throw ExitCode(reason.rawValue) }
    }
}

struct InitCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "init", abstract: "Writes a commented job file for a model and its data.")

    @Argument(help: "The ONNX model.", completion: .file(extensions: ["onnx"]), transform: nonEmptyPath)
    var model: String

    @Argument(
        help: "Samples: a folder of class folders, tar shards, an .npz, or a glob of any of these.",
        completion: .file(), transform: nonEmptyPath)
    var data: String?

    @Option(
        help: ArgumentHelp("The job file to write.", valueName: "file"),
        completion: .file(extensions: ["yml", "yaml"]), transform: nonEmptyPath)
    var job = "job.yml"

    @Flag(help: "Replace the job file if there is one.")
    var force = false

    func run() throws {
        print(try JobDrafting.run(JobDraftingOptions(model: model, data: data, job: job, force: force)))
    }
}
