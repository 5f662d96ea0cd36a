import JobFile

/// A word in the place of a command that is none, and what may have been meant by it.
struct UnknownCommand {
    let word: String
    let commands: [String]

    /// What `run` does, by the words that other tools have as commands.
    private static let partsOfRun: Set<String> = [
        "train", "training", "finetune", "fine-tune", "qat", "calibrate", "calibration", "quantize", "quantise", "ptq",
        "evaluate", "eval", "test", "analyze", "analyse", "export", "start",
    ]
    private static let otherNames = [
        "validate": "check", "verify": "check", "lint": "check", "dry-run": "check", "new": "init", "create": "init",
        "serve": "coordinator", "server": "coordinator", "master": "coordinator", "client": "worker", "join": "worker",
        "predict": "infer", "inference": "infer", "show": "inspect", "print": "inspect", "example": "demo",
    ]

    /// - Parameters:
    ///   - arguments: those of the process, without the program's name.
    ///   - commands: that there are.
    /// - Returns: nil where the command is known, or is left to the parser.
    init?(_ arguments: [String], commands: [String]) {
        let words = arguments.first == "help" ? arguments.dropFirst() : arguments[...]
        guard let word = words.first, !word.hasPrefix("-"), !(commands + ["help"]).contains(word) else { return nil }
        self.word = word
        self.commands = commands
    }

    /// For standard error, in some lines.
    var message: String {
        """
        Error: unknown command "\(word)"\(hint)
        Usage: quantsim <command>, which is one of \(commands.joined(separator: ", "))
          See 'quantsim --help' for more information.
        """
    }

    private var hint: String {
        let word = word.lowercased()
        if let near = nearestWord(to: word, among: commands) { return ", did you mean \"\(near)\"?" }
        if Self.partsOfRun.contains(word) {
            return ": the job file says what is done, and quantsim run JOB.yml does it"
        }
        if word.hasSuffix(".yml") || word.hasSuffix(".yaml") { return ", did you mean \"run \(self.word)\"?" }
        if word.hasSuffix(".onnx") { return ", did you mean \"init \(self.word)\"?" }
        return Self.otherNames[word].map { ", did you mean \"\($0)\"?" } ?? ""
    }
}
