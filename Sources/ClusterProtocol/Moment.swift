/// A point in time on a monotonic clock whose zero means nothing. The state machines are told the time; they never ask.
package struct Moment: Comparable, Hashable, Sendable {
    /// Since the clock's zero.
    package var nanoseconds: Int64

    /// A moment so long after the clock's zero.
    package init(nanoseconds: Int64) {
        self.nanoseconds = nanoseconds
    }

    /// The moment so much later.
    package static func + (moment: Moment, interval: Duration) -> Moment {
        Moment(nanoseconds: moment.nanoseconds + interval.nanoseconds)
    }

    /// The time from the earlier to the later moment.
    package static func - (later: Moment, earlier: Moment) -> Duration {
        .nanoseconds(later.nanoseconds - earlier.nanoseconds)
    }

    /// Whether the left one is earlier.
    package static func < (left: Moment, right: Moment) -> Bool {
        left.nanoseconds < right.nanoseconds
    }
}

extension Duration {
    /// Up to 292 years.
    package var nanoseconds: Int64 {
        components.seconds * 1_000_000_000 + components.attoseconds / 1_000_000_000
    }

    /// Whole ones.
    package var milliseconds: Int { Int(nanoseconds / 1_000_000) }

    /// For people, such as `5s`.
    package var wholeSeconds: String { "\(Int(seconds.rounded()))s" }

    /// With what is left of one.
    package var seconds: Double { Double(nanoseconds) / 1e9 }
}
