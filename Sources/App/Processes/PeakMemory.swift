import Foundation

/// The most memory that a process has had resident at once, in bytes.
public enum PeakMemory {
    /// Of a running process, from `VmHWM` of the kernel's process table; nil where there is no such process.
    /// - Parameter process: a process id; this process where nil.
    public static func bytes(ofProcess process: Int32? = nil) -> Int? {
        let path = "/proc/\(process.map(String.init) ?? "self")/status"
        guard let status = try? String(contentsOfFile: path, encoding: .utf8) else { return nil }
        return bytes(inStatus: status)
    }

    /// Reads the text of a `/proc/PID/status`.
    package static func bytes(inStatus status: String) -> Int? {
        for line in status.split(separator: "\n") where line.hasPrefix("VmHWM:") {
            let words = line.dropFirst("VmHWM:".count).split(whereSeparator: \.isWhitespace)
            guard words.count == 2, words[1] == "kB", let kibibytes = Int(words[0]) else { return nil }
            return kibibytes * 1024
        }
        return nil
    }
}
