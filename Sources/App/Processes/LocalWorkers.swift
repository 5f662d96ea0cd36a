import Foundation
import JobFile
import Support
import Synchronization

/// Worker processes on this machine: launched, launched again (a bounded number of times) when they crash, and reaped.
/// They end with this process, however it ends: see `ParentWatch`.
public final class LocalWorkers: Sendable {
    /// What is launched, and how often again.
    public struct Configuration: Sendable {
        /// Worker processes at a time, at least one.
        public var count: Int
        /// Path of the program.
        public var executable: String
        /// Of each process, without the program's name.
        public var arguments: [String]
        /// How often each worker is launched again after a crash.
        public var restartLimit = 3
        /// From a crash to the next launch.
        public var restartDelaySeconds = 0.5

        public init(count: Int, executable: String, arguments: [String]) {
            self.count = count
            self.executable = executable
            self.arguments = arguments
        }

        /// Workers of this very program.
        /// - Parameter lanes: of each worker; an equal part of this machine's cores where nil.
        public init(count: Int, endpoint: String, lanes: Int? = nil) {
            let cores = ProcessInfo.processInfo.activeProcessorCount
            self.init(
                count: count, executable: ownExecutable(),
                arguments: [
                    "worker", "--connect", endpoint, "--lanes", String(lanes ?? max(1, cores / max(count, 1))),
                    "--exit-with-parent",
                ])
        }
    }

    /// What became of a worker process; workers count from 0.
    public enum Event: Equatable, Sendable {
        /// Launched, for the first time or again, under this process identifier.
        case started(worker: Int, process: Int32)
        /// A line of its standard error.
        case said(worker: Int, line: String)
        /// Ended for good. `code` is the exit code, or 128 and the number of the signal that killed it.
        case ended(worker: Int, code: Int32)
        /// Crashed, and will be launched again.
        case restarting(worker: Int, code: Int32)
        /// Crashed more often than it is launched again, or could not be launched again.
        case givenUp(worker: Int, code: Int32)
        /// No worker is left. The job cannot go on unless workers come from elsewhere.
        case allGone
    }

    private struct State {
        var running: [Int: ChildProcess] = [:]
        var supervised = 0
        var isStopping = false
        var peakMemoryBytes: Int?
    }

    private let configuration: Configuration
    private let onEvent: @Sendable (Event) -> Void
    private let state = Mutex(State())
    /// Entered once for each supervising thread.
    private let supervisors = DispatchGroup()
    /// Entered once for each thread that reads what a worker writes.
    private let listeners = DispatchGroup()
    /// Signalled once for each supervisor when stopping, to cut its delay short.
    private let stopping = DispatchSemaphore(value: 0)

    /// - Parameter onEvent: called on threads of this object; must not block.
    public init(_ configuration: Configuration, onEvent: @escaping @Sendable (Event) -> Void = { _ in }) {
        precondition(configuration.count > 0, "no workers to launch")
        self.configuration = configuration
        self.onEvent = onEvent
    }

    /// Launches all workers. To be called once.
    /// - Throws: `JobError(.processNotStarted)`; those launched before are stopped then.
    public func start() throws {
        do {
            for worker in 0..<configuration.count {
                let process = try launch(worker)
                state.withLock { $0.supervised += 1 }
                supervisors.enter()
                let thread = Thread { self.supervise(worker, process) }
                thread.name = "quantsim.launch.\(worker)"
                thread.start()
            }
        } catch {
            stop(withinSeconds: 0)
            throw error
        }
    }

    /// Ends all workers and waits for them: their standard input ends, which they take as the request to finish; those
    /// that have not ended in time are killed. May be called more than once.
    public func stop(withinSeconds seconds: Double) {
        state.withLock { state in
            guard !state.isStopping else { return }
            state.isStopping = true
            for process in state.running.values { close(process.input) }
        }
        for _ in 0..<configuration.count { stopping.signal() }
        if supervisors.wait(timeout: .now() + seconds) == .timedOut {
            state.withLock { state in
                for process in state.running.values { kill(process.identifier, SIGKILL) }
            }
            supervisors.wait()
        }
        // What they wrote last; a program that they started could hold the other end for longer.
        _ = listeners.wait(timeout: .now() + 1)
    }

    /// Process identifiers of the workers that run now.
    public var processes: [Int32] {
        state.withLock { $0.running.sorted { $0.key < $1.key }.map(\.value.identifier) }
    }

    /// The most memory that any worker has had resident, in bytes; nil before any was looked at. Looks at the workers that
    /// run now and remembers: to be asked at the end of each stage, before the workers are told that the job is done.
    public func peakMemoryBytes() -> Int? {
        state.withLock { state in
            let running = state.running.values.compactMap { PeakMemory.bytes(ofProcess: $0.identifier) }
            state.peakMemoryBytes = (running + [state.peakMemoryBytes].compactMap { $0 }).max()
            return state.peakMemoryBytes
        }
    }

    private func launch(_ worker: Int) throws -> ChildProcess {
        // Read here, so that two processes do not write into one line of the terminal.
        let (reading, writing) = try closeOnExecPair().get()
        defer { close(writing) }
        let process: ChildProcess
        do {
            process = try ChildProcess(
                executable: configuration.executable, arguments: configuration.arguments, errors: writing)
        } catch {
            close(reading)
            throw error
        }
        listen(to: reading, of: worker)
        state.withLock { state in
            state.running[worker] = process
            // Stopped while it was being launched.
            if state.isStopping { close(process.input) }
        }
        onEvent(.started(worker: worker, process: process.identifier))
        return process
    }

    /// Passes on what a worker writes, line by line, until nobody has the other end any more.
    private func listen(to descriptor: Int32, of worker: Int) {
        listeners.enter()
        let thread = Thread { [onEvent, listeners] in
            defer {
                close(descriptor)
                listeners.leave()
            }
            LineReader(descriptor).forEach { onEvent(.said(worker: worker, line: $0)) }
        }
        thread.name = "quantsim.listen.\(worker)"
        thread.start()
    }

    /// The life of one worker through its restarts, on a thread of its own.
    private func supervise(_ worker: Int, _ first: ChildProcess) {
        defer { supervisors.leave() }
        var process = first
        var restarts = 0
        while true {
            process.waitUntilEnded()
            let isStopping = state.withLock { state in
                state.running[worker] = nil
                if !state.isStopping { close(process.input) }
                return state.isStopping
            }
            let code = process.reap()
            guard !isStopping, isCrash(code) else {
                return finish(.ended(worker: worker, code: code))
            }
            guard restarts < configuration.restartLimit else {
                return finish(.givenUp(worker: worker, code: code))
            }
            restarts += 1
            onEvent(.restarting(worker: worker, code: code))
            if stopping.wait(timeout: .now() + configuration.restartDelaySeconds) == .success {
                return finish(.ended(worker: worker, code: code))
            }
            do {
                process = try launch(worker)
            } catch {
                return finish(.givenUp(worker: worker, code: code))
            }
        }
    }

    private func finish(_ event: Event) {
        onEvent(event)
        let isLast = state.withLock { state in
            state.supervised -= 1
            return state.supervised == 0 && !state.isStopping
        }
        if isLast { onEvent(.allGone) }
    }
}

/// Whether launching again may help: not after a job well done, wrong usage, a refusal for good, or a request to end.
private func isCrash(_ code: Int32) -> Bool {
    switch ExitReason(rawValue: code) {
    case .done, .usage, .permanent, .drained: false
    case .internalFault, .temporary, nil: true
    }
}

/// Path of the program that this process runs, for starting it again.
func ownExecutable() -> String {
    let link = "/proc/self/exe"
    // The link's own path runs the right file even when that was replaced meanwhile, but shows as "exe" in process lists.
    guard let path = try? FileManager.default.destinationOfSymbolicLink(atPath: link), access(path, X_OK) == 0 else {
        return link
    }
    return path
}
