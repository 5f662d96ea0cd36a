import Support

/// How far a stage has come: what a progress line shows.
public struct ProgressState: Equatable, Sendable {
    /// For people, such as `calibrate`.
    public var stage: String
    /// Samples done, and to do in all where that is known.
    public var done: Int
    /// Samples of the stage; nil where their number is not known ahead.
    public var total: Int?
    /// Workers connected now.
    public var workers: Int
    /// Lately; nil until enough has been seen.
    public var samplesPerSecond: Double?
    /// What else there is to say, such as a loss.
    public var note: String?

    public init(
        stage: String, done: Int, total: Int?, workers: Int, samplesPerSecond: Double?, note: String? = nil
    ) {
        self.stage = stage
        self.done = done
        self.total = total
        self.workers = workers
        self.samplesPerSecond = samplesPerSecond
        self.note = note
    }

    /// Nil where the rate or the total is unknown.
    public var secondsLeft: Double? {
        guard let total, let rate = samplesPerSecond, rate > 0 else { return nil }
        return Double(max(total - done, 0)) / rate
    }

    /// One line without colours or control characters, such as
    /// `calibrate  1,200/2,000 samples  60 %  213/s  2 workers  4 s left`.
    public var line: String {
        fields(bar: nil).joined(separator: "  ")
    }

    /// The same with a bar where it fits, cut to `columns` characters.
    public func line(columns: Int) -> String {
        let withBar = fields(bar: 20).joined(separator: "  ")
        return String((withBar.count <= columns ? withBar : line).prefix(max(columns, 0)))
    }

    /// - Parameter bar: width of the bar in characters; no bar where nil.
    private func fields(bar: Int?) -> [String] {
        var fields = [stage]
        if let total, total > 0 {
            // Never 100 % before the end.
            let fraction = min(Double(done) / Double(total), 1)
            if let bar {
                let filled = Int(fraction * Double(bar))
                fields.append(
                    "[" + String(repeating: "#", count: filled) + String(repeating: ".", count: bar - filled) + "]")
            }
            fields.append("\(grouped(done))/\(grouped(total)) samples")
            fields.append("\(Int(fraction * 100)) %")
        } else {
            fields.append("\(grouped(done)) samples")
        }
        if let rate = samplesPerSecond { fields.append(rateText(rate)) }
        fields.append(workers == 1 ? "1 worker" : "\(workers) workers")
        if let note { fields.append(note) }
        if let left = secondsLeft { fields.append("\(durationText(left)) left") }
        return fields
    }
}

private func rateText(_ rate: Double) -> String {
    if rate < 10 { return "\((rate * 10).rounded() / 10)/s" }
    return "\(grouped(Int(min(rate.rounded(), 1e15))))/s"
}
