import ArgumentParser
import Foundation
import App
import Support

@main
struct QuantSim: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "quantsim",
        abstract: "Calibrates ONNX models for fixed-point hardware, across worker processes.",
        version: Program.version,
        subcommands: [
            DemoCommand.self, RunCommand.self, CoordinatorCommand.self, WorkerCommand.self, InferCommand.self,
            InspectCommand.self, CheckCommand.self, InitCommand.self, OperatorsCommand.self,
        ])

    static func main() {
        FloatEnvironment.setDefault()
        MappedFileFaults.watch()
        // The parser would take a mistyped command for an argument too many, and show help of the whole for `train --help`.
        let commands = configuration.subcommands.compactMap { $0.configuration.commandName }
        if let unknown = UnknownCommand(Array(CommandLine.arguments.dropFirst()), commands: commands) {
            complain(unknown.message)
            Foundation.exit(ExitReason.usage.rawValue)
        }
        do {
            var command = try parseAsRoot()
            try command.run()
        } catch {
            exit(after: error)
        }
    }

    /// Says what went wrong on standard error and ends the process with the exit code that belongs to it.
    private static func exit(after error: any Error) -> Never {
        if let code = error as? ArgumentParser.ExitCode {
            Foundation.exit(code.rawValue)
        }
        // The parser's own errors, requests for help among them. Its exit code for wrong usage is EX_USAGE, ours is 2.
        switch exitCode(for: error) {
        case .success:
            print(fullMessage(for: error))
            Foundation.exit(ExitReason.done.rawValue)
        case .validationFailure:
            complain(fullMessage(for: error))
            Foundation.exit(ExitReason.usage.rawValue)
        default:
            let failure = Failure(error)
            // Whoever asked for the end is told of no error.
            complain(failure.exitReason == .drained ? failure.sentence : "Error: \(failure.sentence)")
            Foundation.exit(failure.exitReason.rawValue)
        }
    }

    private static func complain(_ text: String) {
        FileHandle.standardError.write(Data((text + "\n").utf8))
    }
}
