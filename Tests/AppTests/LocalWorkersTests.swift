import App
import Foundation
import JobFile
import Synchronization
import Testing

/// Events of workers in the order in which they came.
private final class EventLog: Sendable {
    private let events = Mutex<[LocalWorkers.Event]>([])

    func append(_ event: LocalWorkers.Event) { events.withLock { $0.append(event) } }

    var all: [LocalWorkers.Event] { events.withLock { $0 } }

    /// All but the starts, whose process identifiers no test knows.
    var ends: [LocalWorkers.Event] { all.filter { if case .started = $0 { false } else { true } } }

    /// Waits until `condition` holds, at most ten seconds.
    func wait(until condition: ([LocalWorkers.Event]) -> Bool) {
        let deadline = Date().addingTimeInterval(10)
        while !condition(all), Date() < deadline { usleep(10_000) }
        #expect(condition(all))
    }
}

@Suite struct LocalWorkersTests {
    private let log = EventLog()

    /// Workers that are shell scripts; `cat` reads standard input until it ends, as a worker does.
    private func workers(_ count: Int, _ script: String, restarts: Int = 3) -> LocalWorkers {
        var configuration = LocalWorkers.Configuration(
            count: count, executable: "/bin/sh", arguments: ["-c", script])
        configuration.restartLimit = restarts
        configuration.restartDelaySeconds = 0.01
        return LocalWorkers(configuration) { [log] in log.append($0) }
    }

    @Test func theyEndWhenTheirInputDoes() throws {
        let workers = workers(3, "cat; exit 143")
        try workers.start()
        #expect(workers.processes.count == 3)
        #expect(try #require(workers.peakMemoryBytes()) > 0)
        workers.stop(withinSeconds: 10)
        #expect(workers.processes.isEmpty)
        #expect(log.ends.count == 3)
        #expect((0..<3).allSatisfy { log.ends.contains(.ended(worker: $0, code: 143)) })
        // What was seen of their memory is remembered.
        #expect(workers.peakMemoryBytes() != nil)
        workers.stop(withinSeconds: 10)
    }

    @Test(arguments: [0, 2, 42, 143] as [Int32])
    func whoEndsOnPurposeIsNotLaunchedAgain(_ code: Int32) throws {
        let workers = workers(1, "exit \(code)")
        try workers.start()
        log.wait { $0.contains(.allGone) }
        #expect(log.ends == [.ended(worker: 0, code: code), .allGone])
        workers.stop(withinSeconds: 10)
        #expect(log.ends.count == 2)
    }

    @Test(
        arguments: [("exit 1", 1), ("exit 75", 75), ("kill -9 $$", 137), ("kill -SEGV $$", 139)] as [(String, Int32)])
    func whoCrashesIsLaunchedAgainABoundedNumberOfTimes(_ script: String, _ code: Int32) throws {
        let workers = workers(1, script, restarts: 2)
        try workers.start()
        log.wait { $0.contains(.allGone) }
        let restarting = LocalWorkers.Event.restarting(worker: 0, code: code)
        #expect(log.ends == [restarting, restarting, .givenUp(worker: 0, code: code), .allGone])
        workers.stop(withinSeconds: 10)
    }

    @Test func whatAWorkerWritesIsPassedOnInLines() throws {
        let workers = workers(1, "printf 'one\\ntwo' >&2; exit 0")
        try workers.start()
        log.wait { $0.contains(.allGone) }
        workers.stop(withinSeconds: 10)
        let lines = log.all.compactMap { if case .said(0, let line) = $0 { line } else { nil } }
        #expect(lines == ["one", "two"])
    }

    @Test func aWorkerKilledFromOutsideIsReplaced() throws {
        let workers = workers(2, "cat; exit 0")
        try workers.start()
        let victim = try #require(workers.processes.last)
        kill(victim, SIGKILL)
        log.wait { events in events.count { if case .started = $0 { true } else { false } } == 3 }
        #expect(workers.processes.count == 2)
        #expect(!workers.processes.contains(victim))
        workers.stop(withinSeconds: 10)
        #expect(log.ends.contains(.restarting(worker: 1, code: 137)))
        #expect(!log.ends.contains(.allGone))
    }

    @Test func whoDoesNotEndInTimeIsKilled() throws {
        let workers = workers(2, "trap '' TERM; exec sleep 600")
        try workers.start()
        let start = Date()
        workers.stop(withinSeconds: 0.2)
        #expect(Date().timeIntervalSince(start) < 10)
        #expect(Set(log.ends.map { "\($0)" }).count == 2)
        #expect((0..<2).allSatisfy { log.ends.contains(.ended(worker: $0, code: 137)) })
    }

    @Test func stoppingCutsARestartShort() throws {
        var configuration = LocalWorkers.Configuration(count: 1, executable: "/bin/sh", arguments: ["-c", "exit 1"])
        configuration.restartDelaySeconds = 600
        let workers = LocalWorkers(configuration) { [log] in log.append($0) }
        try workers.start()
        log.wait { $0.contains(.restarting(worker: 0, code: 1)) }
        workers.stop(withinSeconds: 10)
        #expect(log.ends.last == .ended(worker: 0, code: 1))
    }

    /// Were the other end of a worker's input passed on to the next worker, the first would not notice that it ends.
    @Test func workersDoNotHoldEachOthersInput() throws {
        let first = workers(1, "cat; exit 0")
        try first.start()
        let second = workers(1, "cat; exit 0")
        try second.start()
        first.stop(withinSeconds: 10)
        #expect(log.ends == [.ended(worker: 0, code: 0)])
        second.stop(withinSeconds: 10)
    }

    /// A launcher that ignores a signal must not make its workers ignore it.
    @Test func ignoredSignalsAreNotInherited() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("signals-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        let before = signal(SIGUSR2, SIG_IGN)
        defer { signal(SIGUSR2, before) }
        let workers = workers(1, "grep SigIgn /proc/self/status > '\(file.path)'")
        try workers.start()
        log.wait { $0.contains(.allGone) }
        workers.stop(withinSeconds: 10)
        let words = try String(contentsOf: file, encoding: .utf8).split(whereSeparator: \.isWhitespace)
        let ignored = try #require(words.last.flatMap { UInt64($0, radix: 16) })
        #expect(ignored & (1 << UInt64(SIGUSR2 - 1)) == 0)
    }

    @Test func aProgramThatIsAbsentIsNamed() {
        let workers = LocalWorkers(.init(count: 2, executable: "/nowhere/quantsim", arguments: []))
        let error = #expect(throws: JobError.self) { try workers.start() }
        #expect(
            error.map { Failure($0).sentence }
                == "/nowhere/quantsim: cannot be started as a process: No such file or directory")
    }

    @Test func thisProgramsWorkersShareTheCores() {
        let configuration = LocalWorkers.Configuration(count: 10_000, endpoint: "tcp://127.0.0.1:5555")
        #expect(
            configuration.arguments == [
                "worker", "--connect", "tcp://127.0.0.1:5555", "--lanes", "1", "--exit-with-parent",
            ])
        #expect(configuration.executable == CommandLine.arguments[0] || configuration.executable.hasPrefix("/"))
        #expect(LocalWorkers.Configuration(count: 1, endpoint: "e", lanes: 3).arguments[4] == "3")
    }
}

@Suite struct ParentWatchTests {
    @Test func theEndOfADescriptorIsNoticed() async throws {
        var ends: [Int32] = [-1, -1]
        try #require(pipe(&ends) == 0)
        let (reading, writing) = (ends[0], ends[1])
        defer { close(reading) }
        await withCheckedContinuation { continuation in
            ParentWatch.onEnd(of: reading) { continuation.resume() }
            // What is written is not the end.
            _ = "abc".withCString { write(writing, $0, 3) }
            close(writing)
        }
    }
}

@Suite struct TerminationSignalsTests {
    @Test func theFirstSignalIsPassedOn() async {
        await #expect(processExitsWith: .exitCode(7)) {
            try TerminationSignals.watch { signal in
                exit(signal == SIGUSR1 ? 7 : 8)
            }
            kill(getpid(), SIGUSR1)
            sleep(30)
        }
    }

    @Test func theSecondSignalEndsTheProcess() async {
        await #expect(processExitsWith: .exitCode(143)) {
            let seen = DispatchSemaphore(value: 0)
            // Whatever the first one is busy with.
            try TerminationSignals.watch { _ in
                seen.signal()
                sleep(30)
            }
            kill(getpid(), SIGTERM)
            seen.wait()
            kill(getpid(), SIGINT)
            sleep(30)
        }
    }
}
