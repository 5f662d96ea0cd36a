import Foundation
import Support
import Testing
import TestSupport

@Suite struct CommandLineTests {
    private let quantsim = BuiltProgram(named: "quantsim")

    @Test(arguments: [["--no-such-option"], ["no-such-command"]])
    func wrongUsageEndsWithTwo(_ arguments: [String]) throws {
        let result = try #require(quantsim).run(arguments)
        #expect(result.exitCode == 2)
        #expect(result.output.isEmpty)
        #expect(result.error.contains("Usage: quantsim"))
        #expect(result.error.contains(arguments[0]))
    }

    @Test func helpAndVersionAreNoErrors() throws {
        let quantsim = try #require(quantsim)
        for arguments in [[], ["--help"]] {
            let result = try quantsim.run(arguments)
            #expect(result.exitCode == 0)
            #expect(result.output.contains("USAGE: quantsim"))
            #expect(result.error.isEmpty)
        }
        #expect(try quantsim.run(["--version"]).output == Program.version + "\n")
    }

    @Test(arguments: [
        ("demo", ["--workers <n>", "--output <dir>"]), ("run", ["<job>", "--workers <n>", "--output <dir>"]),
        ("coordinator", ["<job>", "--bind <endpoint>", "--output <dir>", "--resume"]),
        ("worker", ["--connect <endpoint>", "--lanes <n>", "--peer-port <port>"]),
        ("infer", ["<model>", "--input <npz>", "--output <npz>", "--encodings <file>"]),
        ("check", ["<job>"]), ("init", ["<model>", "<data>", "--job <file>", "--force"]),
        ("inspect", ["<file>", "--config <name|file>", "--tensor <name>"]),
    ])
    func everyCommandHasHelp(_ command: String, _ parts: [String]) throws {
        let quantsim = try #require(quantsim)
        let general = try quantsim.run(["--help"]).output
        #expect(general.contains("  \(command) "))
        for arguments in [[command, "--help"], ["help", command], [command, "-h"]] {
            let result = try quantsim.run(arguments)
            #expect(result.exitCode == 0)
            #expect(result.error.isEmpty)
            #expect(result.output.contains("USAGE: quantsim \(command)"))
            for part in parts { #expect(result.output.contains(part), "\(part)") }
            #expect(!result.output.contains("exit-with-parent"))
        }
    }
}
