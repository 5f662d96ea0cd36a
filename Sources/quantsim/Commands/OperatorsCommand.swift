import App
import ArgumentParser

struct OperatorsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "operators",
        abstract:
            "Lists the ONNX operators that models may have, as JSON: how each is computed, and whether it has a gradient.",
        shouldDisplay: false)

    func run() throws { print(try Inspection.describeOperators()) }
}
