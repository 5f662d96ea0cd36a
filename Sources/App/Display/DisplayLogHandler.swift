import Foundation
import Logging

/// Writes log entries through a progress display, so that they do not tear its live line:
/// `2026-01-31T12:00:00Z warning worker lost worker.id=3 worker.silence=3.1s`.
public struct DisplayLogHandler: LogHandler {
    /// Entries below are not written.
    public var logLevel: Logger.Level
    /// Fields of every entry; those of the entry itself win.
    public var metadata: Logger.Metadata = [:]
    /// Gives further fields when an entry is written; they win over `metadata`.
    public var metadataProvider: Logger.MetadataProvider?
    private let display: ProgressDisplay
    private let clock: @Sendable () -> Date

    /// - Parameter clock: gives the time of an entry.
    public init(
        display: ProgressDisplay, level: Logger.Level = .info, clock: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.display = display
        self.logLevel = level
        self.clock = clock
    }

    /// One field of every entry.
    public subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    /// Writes one line: time, level, message and the fields in order of their names.
    public func log(event: LogEvent) {
        let all =
            metadata
            .merging(metadataProvider?.get() ?? [:]) { _, later in later }
            .merging(event.metadata ?? [:]) { _, later in later }
        let fields = all.sorted { $0.key < $1.key }.map { "\($0.key)=\(quotedIfNeeded("\($0.value)"))" }
        let words = [clock().formatted(.iso8601), "\(event.level)", "\(event.message)"] + fields
        display.message(words.joined(separator: " "))
    }
}

/// Values may come from the network: spaces, quotes and anything unprintable are written so that an entry stays one line
/// whose fields can be told apart.
private func quotedIfNeeded(_ value: String) -> String {
    let isPlain = !value.isEmpty && value.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value < 0x7F && $0 != "\"" }
    return isPlain ? value : value.debugDescription
}
