import Foundation

/// What this program says of itself.
public enum Program {
    /// As `--version`, the report and the encodings files give it.
    public static let version = "0.1.0"

    /// What starts this program again in a shell, in any folder: its name where the shell finds it by that, else its path.
    public static var invocation: String {
        guard let name = CommandLine.arguments.first, name.contains("/") else { return "quantsim" }
        let path = URL(fileURLWithPath: name).standardizedFileURL.path
        let isPlain = path.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "/._-+".contains($0)) }
        return isPlain ? path : "'" + path.replacingOccurrences(of: "'", with: "'\\''") + "'"
    }
}
