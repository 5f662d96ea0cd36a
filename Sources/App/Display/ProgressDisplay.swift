import Foundation
import Jobs
import Support
import Synchronization

/// Shows a job's progress: on a terminal one line that is drawn over again, elsewhere a log line every few seconds. May
/// be used from any thread.
public final class ProgressDisplay: Sendable {
    /// What the display draws on. The functions are called with the display's lock held and must not call it back.
    public struct Surface: Sendable {
        /// Whether a line that was written can be drawn over.
        public var isTerminal: Bool
        /// Characters in a line of the terminal.
        public var columns: @Sendable () -> Int
        /// Writes text as it is, control characters included; does not fail.
        public var write: @Sendable (String) -> Void
        /// Seconds of a clock that never goes back.
        public var now: @Sendable () -> Double

        public init(
            isTerminal: Bool, columns: @escaping @Sendable () -> Int, write: @escaping @Sendable (String) -> Void,
            now: @escaping @Sendable () -> Double
        ) {
            self.isTerminal = isTerminal
            self.columns = columns
            self.write = write
            self.now = now
        }
    }

    /// Seconds between two drawings of the same stage.
    static let liveInterval = 0.1
    static let logInterval = 5.0

    private struct State {
        var progress: ProgressState?
        var meter = RateMeter()
        var lastDrawn = -Double.infinity
        var stageStart = 0.0
        /// The stage that the one shown is a part of.
        var whole: (progress: ProgressState, stageStart: Double)?
        /// The terminal's cursor is behind a live line.
        var lineIsShown = false
    }

    private let surface: Surface
    private let state = Mutex(State())

    /// - Parameter surface: what is drawn on; tests bring their own.
    public init(_ surface: Surface = .standardError) {
        self.surface = surface
    }

    /// Whether progress is one line that is drawn over again, as on a terminal.
    public var isLive: Bool { surface.isTerminal }

    /// A new stage begins; the one before, if any, is left as it was drawn last.
    /// - Parameter done: samples done already, as after a resume.
    public func begin(stage: String, total: Int?, done: Int = 0, workers: Int = 0) {
        state.withLock { state in
            clearLine(&state)
            let now = surface.now()
            state.progress = ProgressState(
                stage: stage, done: done, total: total, workers: workers, samplesPerSecond: nil)
            state.meter = RateMeter()
            state.meter.record(done, at: now)
            state.stageStart = now
            draw(&state, now: now)
        }
    }

    /// A part of the running stage that goes over samples of its own is shown in its place until `endPart`.
    public func beginPart(_ name: String, total: Int) {
        state.withLock { state in
            guard let whole = state.progress, state.whole == nil else { return }
            clearLine(&state)
            let now = surface.now()
            state.whole = (whole, state.stageStart)
            state.progress = ProgressState(
                stage: name, done: 0, total: total, workers: whole.workers, samplesPerSecond: nil)
            state.meter = RateMeter()
            state.meter.record(0, at: now)
            // Elsewhere than on a terminal the line that follows the part says enough.
            if surface.isTerminal { draw(&state, now: now) }
        }
    }

    /// The part is over; what came of it, if anything, is for `message` to say.
    public func endPart() {
        state.withLock { state in
            guard let whole = state.whole else { return }
            clearLine(&state)
            state.whole = nil
            (state.progress, state.stageStart) = whole
            state.meter = RateMeter()
            state.meter.record(whole.progress.done, at: surface.now())
        }
    }

    /// - Parameter done: samples done since the stage began, those before a resume included.
    public func update(done: Int, workers: Int) {
        state.withLock { state in
            let now = surface.now()
            state.meter.record(done, at: now)
            state.progress?.done = done
            state.progress?.workers = workers
            state.progress?.samplesPerSecond = state.meter.perSecond
            if now - state.lastDrawn >= (surface.isTerminal ? Self.liveInterval : Self.logInterval) {
                draw(&state, now: now)
            }
        }
    }

    /// Says more about the running stage, from its next drawing on.
    public func note(_ text: String) {
        state.withLock { $0.progress?.note = text }
    }

    /// The stage is over: replaces its line by a lasting one.
    /// - Parameter note: what came of it, such as an accuracy.
    public func end(note: String? = nil) {
        state.withLock { state in
            guard let progress = state.progress else { return }
            clearLine(&state)
            let seconds = surface.now() - state.stageStart
            var fields = [progress.stage, "\(grouped(progress.done)) samples in \(durationText(seconds))"]
            if let note { fields.append(note) }
            surface.write(fields.joined(separator: "  ") + "\n")
            state.progress = nil
            state.whole = nil
        }
    }

    /// Nothing more is shown: the live line, if there is one, stays as it was drawn last, and what follows it has a line of
    /// its own.
    public func close() {
        state.withLock { state in
            if state.lineIsShown { surface.write("\n") }
            state.lineIsShown = false
            state.progress = nil
            state.whole = nil
        }
    }

    /// Writes a line of its own, above the live one.
    public func message(_ text: String) {
        state.withLock { state in
            let wasShown = state.lineIsShown
            clearLine(&state)
            surface.write(text + "\n")
            if wasShown { draw(&state, now: surface.now()) }
        }
    }

    /// Says that something went wrong which the job goes on after.
    public func warning(_ what: String, _ error: any Error) {
        message("\(what): \(Failure(error).sentence)")
    }

    private func draw(_ state: inout State, now: Double) {
        guard let progress = state.progress else { return }
        state.lastDrawn = now
        if surface.isTerminal {
            // One column stays free: writing into the last one makes some terminals wrap.
            surface.write("\r" + progress.line(columns: surface.columns() - 1) + Self.eraseToEnd)
            state.lineIsShown = true
        } else {
            surface.write(progress.line + "\n")
        }
    }

    private func clearLine(_ state: inout State) {
        guard state.lineIsShown else { return }
        surface.write("\r" + Self.eraseToEnd)
        state.lineIsShown = false
    }

    private static let eraseToEnd = "\u{1B}[K"
}

extension ProgressDisplay.Surface {
    /// Standard error, with a live line where that is a terminal that can redraw one.
    public static var standardError: Self {
        let isDumb = ProcessInfo.processInfo.environment["TERM"].map { $0.isEmpty || $0 == "dumb" } ?? true
        return Self(
            isTerminal: isatty(STDERR_FILENO) == 1 && !isDumb,
            columns: {
                var size = winsize()
                let result = ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size)
                return result == 0 && size.ws_col > 0 ? Int(size.ws_col) : 80
            },
            write: { text in
                // Progress is not worth failing for: a standard error that is gone is passed over.
                try? FileHandle.standardError.write(contentsOf: Data(text.utf8))
            },
            now: { Double(DispatchTime.now().uptimeNanoseconds) / 1e9 })
    }
}

extension ProgressDisplay: JobProgress {
    /// A stage begins, with no worker known yet.
    package func begin(stage: String, total: Int, done: Int) {
        begin(stage: stage, total: total, done: done, workers: 0)
    }
}
