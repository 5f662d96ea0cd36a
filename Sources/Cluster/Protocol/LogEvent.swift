import Logging

/// A line for the log: a fixed message and its operands under dotted names.
package struct LogEvent: Equatable, Sendable {
    package var level: Logger.Level
    package var message: String
    package var metadata: [String: String]

    package init(_ level: Logger.Level, _ message: String, _ metadata: [String: String] = [:]) {
        self.level = level
        self.message = message
        self.metadata = metadata
    }
}

extension Logger {
    func record(_ event: LogEvent) {
        log(level: event.level, "\(event.message)", metadata: event.metadata.mapValues { .string($0) })
    }
}
