import ArgumentParser
import Foundation
import App
import Jobs

struct RunCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Runs a job with a coordinator and worker processes on this machine.")

    @Argument(help: "The job file.", completion: .file(extensions: ["yml", "yaml"]), transform: nonEmptyPath)
    var job: String

    @OptionGroup var workers: WorkerCount
    @OptionGroup var folder: OutputOption
    @OptionGroup var former: FormerResultsOptions

    var options: RunOptions {
        RunOptions(job: job, workers: workers.count, output: folder.url, former: former.value)
    }

    func run() throws {
        print(try JobRunner.run(options).summary(folder: folder.path))
    }
}

struct DemoCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo", abstract: "Runs a bundled model on bundled data, start to finish, on this machine.")

    @OptionGroup var workers: WorkerCount
    @OptionGroup var folder: OutputOption
    @Flag(help: "Replace the results of another job in the output folder.")
    var force = false

    var options: DemoOptions {
        // A demo is to be seen, not to be gone on with.
        DemoOptions(workers: workers.count, output: folder.url, former: force ? .replace : .restart)
    }

    func run() throws {
        print(try JobRunner.demo(options).summary(folder: folder.path))
    }
}

/// `--workers N`.
struct WorkerCount: ParsableArguments {
    @Option(name: .customLong("workers"), help: ArgumentHelp("Worker processes to launch.", valueName: "n"))
    var count = 2

    func validate() throws {
        guard (1...1024).contains(count) else {
            throw ValidationError("--workers must be from 1 to 1024, not \(count).")
        }
    }
}

/// `--restart` and `--force`.
struct FormerResultsOptions: ParsableArguments {
    @Flag(help: "Begin anew, in place of what this job has done in the output folder.")
    var restart = false
    @Flag(help: "Begin anew, in place of the results of another job as well.")
    var force = false

    var value: FormerResults { force ? .replace : restart ? .restart : .goOn }
}

/// `--output DIR`.
struct OutputOption: ParsableArguments {
    @Option(
        name: .customLong("output"), help: ArgumentHelp("Folder for the results; made if absent.", valueName: "dir"),
        completion: .directory, transform: nonEmptyPath)
    var path = "quantsim-output"

    var url: URL { URL(fileURLWithPath: path, isDirectory: true) }
}

/// Takes a path as the user gave it; an empty one would be the current folder without a word.
func nonEmptyPath(_ argument: String) throws -> String {
    guard !argument.isEmpty else { throw ValidationError("a path must not be empty") }
    return argument
}
