import ArgumentParser

@main
struct QuantSim: ParsableCommand {
    static let configuration = CommandConfiguration(commandName: "quantsim")
}
