import Logging

/// A line for the log: a fixed message and its operands under dotted names.
package struct LogLine: Equatable, Sendable {
    /// How much it matters.
    package var level: Logger.Level
    /// The same for all lines of a kind.
    package var message: String
    /// By dotted name.
    package var metadata: [String: String]
    /// Whether whoever reaches the endpoint can have it said as often as they like: only a few such lines a minute are kept.
    package var isRepeatable: Bool

    /// A line of these parts.
    package init(
        _ level: Logger.Level, _ message: String, _ metadata: [String: String] = [:], isRepeatable: Bool = false
    ) {
        self.level = level
        self.message = message
        self.metadata = metadata
        self.isRepeatable = isRepeatable
    }
}

/// Lets ten repeatable lines of each message a minute through: a port scanner must not fill a disk with log lines, nor may a
/// flood of one kind hide the others.
package struct LogLimiter {
    private struct Window {
        var began: Moment
        var lines = 0
    }

    private var windows: [String: Window] = [:]

    /// Nothing was said yet.
    package init() {}

    /// Whether the line is to be kept. Its message must be one of few.
    package mutating func allows(_ event: LogLine, now: Moment) -> Bool {
        guard event.isRepeatable else { return true }
        var window = windows[event.message] ?? Window(began: now)
        if now - window.began > .seconds(60) { window = Window(began: now) }
        window.lines += 1
        windows[event.message] = window
        return window.lines <= 10
    }
}

extension ShardFailure {
    /// What a line of the log says of it.
    var logFields: [String: String] {
        Dictionary(uniqueKeysWithValues: fields.map { ("failure.\($0.key)", $0.value) })
    }
}
