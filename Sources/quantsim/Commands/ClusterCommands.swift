import ArgumentParser
import Foundation
import App

struct CoordinatorCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "coordinator", abstract: "Runs a job with whatever workers connect.")

    @Argument(help: "The job file.", completion: .file(extensions: ["yml", "yaml"]), transform: nonEmptyPath)
    var job: String

    @Option(
        name: .customLong("bind"),
        help: ArgumentHelp("Where workers connect, such as tcp://*:5555.", valueName: "endpoint"))
    var endpoint: String

    @OptionGroup var folder: OutputOption

    @OptionGroup var former: FormerResultsOptions

    @Flag(help: "Go on from the journal in the output folder, as is done without a word of it.")
    var resume = false

    func validate() throws {
        try check(endpoint: endpoint, option: "--bind", binds: true)
        if resume, former.value != .goOn { throw ValidationError("--resume goes on, --restart and --force do not.") }
    }

    var options: CoordinatorOptions {
        CoordinatorOptions(job: job, endpoint: endpoint, output: folder.url, former: former.value)
    }

    func run() throws {
        print(try JobRunner.coordinate(options).summary(folder: folder.path))
    }
}

struct WorkerCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker", abstract: "Works for a coordinator until its job is done.")

    @Option(
        name: .customLong("connect"),
        help: ArgumentHelp("The coordinator, such as tcp://host:5555.", valueName: "endpoint"))
    var endpoint: String

    @Option(help: ArgumentHelp("Lanes, each a thread with a plan of its own; one per core if absent.", valueName: "n"))
    var lanes: Int?

    @Option(
        help: ArgumentHelp(
            "The port that other workers connect to for gradients; any free one if absent. With 0 there is none: the coordinator adds gradients up.",
            valueName: "port"))
    var peerPort: Int?

    @Flag(help: .hidden)
    var exitWithParent = false

    func validate() throws {
        try check(endpoint: endpoint, option: "--connect")
        if let peerPort, !(0...65535).contains(peerPort) {
            throw ValidationError("--peer-port must be from 0 to 65535, not \(peerPort).")
        }
        if let lanes, !(1...1024).contains(lanes) {
            throw ValidationError("--lanes must be from 1 to 1024, not \(lanes).")
        }
    }

    var options: WorkerOptions {
        WorkerOptions(endpoint: endpoint, lanes: lanes, peerPort: peerPort, exitsWithParent: exitWithParent)
    }

    func run() throws {
        let reason = try WorkerProcess.run(options)
        if reason != .done { throw ExitCode(reason.rawValue) }
    }
}

/// - Parameter binds: any port and all interfaces, written `*`, are something to bind and nothing to connect to.
private func check(endpoint: String, option: String, binds: Bool = false) throws {
    let isValid: Bool
    if endpoint.hasPrefix("tcp://"), let colon = endpoint.lastIndex(of: ":") {
        let port = endpoint[endpoint.index(after: colon)...]
        let host = endpoint[..<colon].dropFirst("tcp://".count)
        let isHost =
            !host.isEmpty && !host.contains(where: \.isWhitespace) && host.hasPrefix("[") == host.hasSuffix("]")
        isValid = isHost && (UInt16(port) ?? 0 > 0 || (binds && port == "*")) && (binds || host != "*")
    } else {
        isValid = endpoint.hasPrefix("ipc://") && endpoint.count > "ipc://".count
    }
    guard isValid else {
        throw ValidationError("\(option) must be an endpoint such as tcp://host:5555, not \"\(endpoint)\".")
    }
}
