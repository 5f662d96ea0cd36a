import App
import Foundation
import Logging
import Synchronization
import Testing

@Suite struct ProgressLineTests {
    static let lines: [(ProgressState, String)] = [
        (
            ProgressState(stage: "calibrate", done: 1200, total: 2000, workers: 2, samplesPerSecond: 213.4),
            "calibrate  1,200/2,000 samples  60 %  213/s  2 workers  4 s left"
        ),
        (
            ProgressState(stage: "calibrate", done: 0, total: 20_000, workers: 0, samplesPerSecond: nil),
            "calibrate  0/20,000 samples  0 %  0 workers"
        ),
        (
            ProgressState(stage: "evaluate", done: 1_234_567, total: nil, workers: 1, samplesPerSecond: 9.96),
            "evaluate  1,234,567 samples  10.0/s  1 worker"
        ),
        (
            ProgressState(stage: "evaluate", done: 999, total: 1000, workers: 1, samplesPerSecond: 0),
            "evaluate  999/1,000 samples  99 %  0.0/s  1 worker"
        ),
        (
            ProgressState(stage: "evaluate", done: 1000, total: 1000, workers: 1, samplesPerSecond: 1000),
            "evaluate  1,000/1,000 samples  100 %  1,000/s  1 worker  1 s left"
        ),
        (
            ProgressState(stage: "train", done: 0, total: 1850, workers: 64, samplesPerSecond: 10),
            "train  0/1,850 samples  0 %  10/s  64 workers  3 min 05 s left"
        ),
        (
            ProgressState(stage: "train", done: 0, total: 76_200, workers: 64, samplesPerSecond: 10),
            "train  0/76,200 samples  0 %  10/s  64 workers  2 h 07 min left"
        ),
    ]

    @Test(arguments: lines)
    func aStateIsALine(_ state: ProgressState, _ line: String) {
        #expect(state.line == line)
    }

    @Test func aBarIsDrawnWhereItFits() {
        let state = ProgressState(stage: "calibrate", done: 1200, total: 2000, workers: 2, samplesPerSecond: 213.4)
        let withBar =
            "calibrate  [############........]  1,200/2,000 samples  60 %  213/s  2 workers  4 s left"
        #expect(state.line(columns: withBar.count) == withBar)
        #expect(state.line(columns: withBar.count - 1) == state.line)
        #expect(state.line(columns: 11) == "calibrate  ")
        #expect(state.line(columns: 0) == "")
        #expect(state.line(columns: -1) == "")
    }
}

@Suite struct RateMeterTests {
    @Test func aSteadyRateIsFound() throws {
        var meter = RateMeter()
        #expect(meter.perSecond == nil)
        meter.record(100, at: 50)
        #expect(meter.perSecond == nil)
        for step in 1...2000 {
            meter.record(100 + step, at: 50 + Double(step) / 20)
            if step >= 10 {
                #expect(abs(try #require(meter.perSecond) - 20) < 1e-9)
            } else {
                #expect(meter.perSecond == nil)
            }
        }
    }

    @Test func theRateFollowsAChangeWithinTheWindow() throws {
        var meter = RateMeter()
        for second in 0...100 { meter.record(second * 10, at: Double(second)) }
        for second in 101...112 { meter.record(1000 + (second - 100) * 50, at: Double(second)) }
        #expect(abs(try #require(meter.perSecond) - 50) < 1e-9)
        // A stall shows as well.
        for second in 113...130 { meter.record(1600, at: Double(second)) }
        #expect(meter.perSecond == 0)
    }
}

/// What a display has written, and a clock that is set by hand.
private final class FakeSurface: Sendable {
    private let state = Mutex((text: "", seconds: 0.0))

    var text: String { state.withLock { $0.text } }

    func advance(_ seconds: Double) { state.withLock { $0.seconds += seconds } }

    func surface(isTerminal: Bool) -> ProgressDisplay.Surface {
        ProgressDisplay.Surface(
            isTerminal: isTerminal, columns: { 200 },
            write: { text in self.state.withLock { $0.text += text } },
            now: { self.state.withLock { $0.seconds } })
    }
}

@Suite struct ProgressDisplayTests {
    private let fake = FakeSurface()

    @Test func elsewhereThanOnATerminalLinesAreFew() {
        let display = ProgressDisplay(fake.surface(isTerminal: false))
        display.begin(stage: "calibrate", total: 800)
        for step in 1...80 {
            fake.advance(0.125)
            display.update(done: step * 10, workers: 2)
        }
        display.message("worker lost")
        display.end(note: "done")
        #expect(
            fake.text == """
                calibrate  0/800 samples  0 %  0 workers
                calibrate  400/800 samples  50 %  80/s  2 workers  5 s left
                calibrate  800/800 samples  100 %  80/s  2 workers  1 s left
                worker lost
                calibrate  800 samples in 10 s  done

                """)
        #expect(!fake.text.contains("\u{1B}"))
    }

    @Test func onATerminalOneLineIsDrawnOver() {
        let display = ProgressDisplay(fake.surface(isTerminal: true))
        display.message("hello")
        display.begin(stage: "evaluate", total: 10, done: 5)
        fake.advance(0.05)
        display.update(done: 6, workers: 1)  // Too soon to draw.
        fake.advance(0.95)
        display.update(done: 7, workers: 1)
        display.message("worker lost")
        display.end()
        display.end()
        let erase = "\u{1B}[K"
        let first = "\revaluate  [##########..........]  5/10 samples  50 %  0 workers\(erase)"
        let second = "\revaluate  [##############......]  7/10 samples  70 %  2.0/s  1 worker  2 s left\(erase)"
        #expect(
            fake.text == "hello\n" + first + second + "\r\(erase)worker lost\n" + second
                + "\r\(erase)evaluate  7 samples in 1 s\n")
    }

    /// As where a job fails: what is written next stands on a line of its own.
    @Test func theLastLiveLineIsLeftWhole() {
        let display = ProgressDisplay(fake.surface(isTerminal: true))
        display.begin(stage: "evaluate", total: 10, done: 5)
        display.close()
        display.close()
        display.update(done: 6, workers: 1)
        display.message("late")
        let line = "\revaluate  [##########..........]  5/10 samples  50 %  0 workers\u{1B}[K"
        #expect(fake.text == line + "\nlate\n")
    }

    @Test func aPartIsShownInPlaceOfItsStage() {
        let display = ProgressDisplay(fake.surface(isTerminal: true))
        display.begin(stage: "train", total: 10, done: 5)
        fake.advance(1)
        display.beginPart("evaluate epoch 1", total: 4)
        fake.advance(1)
        display.update(done: 2, workers: 3)
        display.endPart()
        display.message("epoch 1")
        fake.advance(1)
        display.update(done: 6, workers: 3)
        fake.advance(2)
        display.end()
        let erase = "\u{1B}[K"
        #expect(
            fake.text == "\rtrain  [##########..........]  5/10 samples  50 %  0 workers\(erase)"
                + "\r\(erase)\revaluate epoch 1  [....................]  0/4 samples  0 %  0 workers\(erase)"
                + "\revaluate epoch 1  [##########..........]  2/4 samples  50 %  2.0/s  3 workers  1 s left\(erase)"
                + "\r\(erase)epoch 1\n"
                + "\rtrain  [############........]  6/10 samples  60 %  1.0/s  3 workers  4 s left\(erase)"
                + "\r\(erase)train  6 samples in 5 s\n")
    }

    @Test func logEntriesGoThroughTheDisplay() {
        let display = ProgressDisplay(fake.surface(isTerminal: false))
        var handler = DisplayLogHandler(display: display, clock: { Date(timeIntervalSince1970: 0) })
        handler[metadataKey: "job"] = "j1"
        let logger = Logger(label: "test") { _ in handler }
        logger.debug("not shown")
        logger.warning("worker lost", metadata: ["worker.id": "a b", "worker.name": "x\n\"y\"", "job": "j2"])
        logger.info("done")
        #expect(
            fake.text == """
                1970-01-01T00:00:00Z warning worker lost job=j2 worker.id="a b" worker.name="x\\n\\"y\\""
                1970-01-01T00:00:00Z info done job=j1

                """)
    }
}
