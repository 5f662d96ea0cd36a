import ClusterProtocol
import Foundation
import Logging
import Messaging
import Support

/// Drives the coordinator's state machine with a socket and a clock. All of it lives on one thread.
final class CoordinatorLoop {
    /// From other threads.
    enum Input: Sendable {
        case event(CoordinatorState.Event)
        case passBegan(CoordinatorState.PassStart, shardCount: Int?, samplesBefore: Int, reader: Mailbox<Int>)
        /// Ends at once, without a word to the workers.
        case close
    }

    /// To the thread that runs the pass.
    enum Output: Sendable {
        case merge(CoordinatorState.ReceivedResult)
        case flush
        case keepProbe(ProbeAnswer)
        case passCompleted(CoordinatorState.PassCompletion)
        /// Without a result; another pass may follow.
        case passEnded(ClusterError)
        case failed(ClusterError)
        /// The source threw; not from the loop but from the reading thread.
        case sourceFailed(any Error)
    }

    private let configuration: CoordinatorConfiguration
    private let inbox: Inbox<Input>
    private let outputs: Mailbox<Output>
    private let router: ZeroMQSocket
    private let monitor: SocketMonitor
    private var state: CoordinatorState
    private var reader: Mailbox<Int>?
    private var outboxes: [RoutingID: [Packet]] = [:]
    private var progress: ProgressMeter
    private var limiter = LogLimiter()
    /// Of those who do not even come as far as to send a message.
    private var handshakeLimiter = LogLimiter()
    /// Connections and messages of whoever could take no part, for who wonders why no worker comes.
    private var refusals = 0
    private var isClosed = false
    private var finishBy: Moment?

    let boundEndpoint: String

    init(
        configuration: CoordinatorConfiguration, identity: CoordinatorState.Identity, inbox: Inbox<Input>,
        outputs: Mailbox<Output>
    ) throws {
        self.configuration = configuration
        self.inbox = inbox
        self.outputs = outputs
        router = try ZeroMQSocket(.router, in: ZeroMQContext())
        monitor = try SocketMonitor(router)
        try checkSocketFile(configuration.endpoint)
        try router.bind(configuration.endpoint)
        boundEndpoint = try router.lastEndpoint()
        state = CoordinatorState(identity: identity, limits: configuration.limits)
        progress = ProgressMeter(callback: configuration.progress)
    }

    func run() {
        // Whoever waits for a pass must not wait for ever.
        defer { outputs.put(.failed(ClusterError(.closed))) }
        do {
            var nextTick = Moment.now
            while !isClosed {
                // A peer whose queue is full gives no sign when it has room again.
                let untilTick = max(0, (nextTick - .now).milliseconds + 1)
                let timeout = outboxes.isEmpty ? untilTick : min(2, untilTick)
                try Waiting.poll([router, monitor.socket], inbox.wakeUp, timeoutMilliseconds: timeout)
                try receive()
                for input in inbox.takeAll() {
                    take(input)
                    // A crash says nothing more.
                    if isClosed { return }
                }
                try watch()
                let now = Moment.now
                if now >= nextTick {
                    handle(.tick)
                    progress.report(state, now: now)
                    nextTick = now + configuration.limits.tick
                }
                try flush()
                if let finishBy, state.isFinished || now >= finishBy { break }
            }
        } catch {
            let reason = (error as? ZeroMQError)?.reason ?? "\(error)"
            configuration.logger.critical("network failed", metadata: ["error": "\(reason)"])
            outputs.put(.failed(ClusterError(.endpoint, expected: configuration.endpoint, found: reason)))
        }
    }

    private func take(_ input: Input) {
        switch input {
        case .event(let event):
            if case .finish = event { finishBy = .now + .seconds(2) }
            handle(event)
        case .passBegan(let start, let shardCount, let samplesBefore, let reader):
            self.reader = reader
            progress.begin(start, shardCount: shardCount, samplesBefore: samplesBefore)
            handle(.passBegan(start))
        case .close: isClosed = true
        }
    }

    private func handle(_ event: CoordinatorState.Event) {
        let now = Moment.now
        for action in state.handle(event, now: now) { perform(action, now: now) }
    }

    private func perform(_ action: CoordinatorState.Action, now: Moment) {
        switch action {
        case .send(let target, let envelope): outboxes[target, default: []].append(envelope.encoded())
        case .forget(let peer): outboxes[RoutingID(peer: peer, channel: .control)] = nil
        case .readShards(let count): reader?.put(count)
        case .merge(let result): outputs.put(.merge(result))
        case .flush: outputs.put(.flush)
        case .keepProbe(let answer): outputs.put(.keepProbe(answer))
        case .passCompleted(let completion):
            progress.complete(state, samples: completion.samples, shards: completion.shards)
            outputs.put(.passCompleted(completion))
        case .passEnded(let error): outputs.put(.passEnded(error))
        case .jobFailed(let error): outputs.put(.failed(error))
        case .tellWaiting(let waited): tellWaiting(waited)
        case .log(let event):
            if event.isRepeatable { refusals += 1 }
            if limiter.allows(event, now: now) { configuration.logger.record(event) }
        }
    }

    private func tellWaiting(_ waited: Duration) {
        configuration.logger.record(
            LogLine(
                .warning, "waiting for workers",
                [
                    "waited": waited.wholeSeconds, "gives.up": "never",
                    "connect": OwnAddresses.endpoints(reaching: boundEndpoint).joined(separator: " or "),
                    "refused": "\(refusals)",
                ]))
    }

    /// Takes in what has arrived, in portions, so that sending and times are not forgotten over a flood.
    private func receive() throws {
        for _ in 0..<256 {
            guard let (frames, address) = try router.receiveWithAddress() else { return }
            let source = RoutingID(bytes: frames[0])
            do throws(WireError) {
                guard let packet = Packet(frames: frames.dropFirst()) else {
                    throw WireError(.frames, expected: "1 or 2", found: "\(frames.count - 1)")
                }
                var envelope = try Envelope<WorkerMessage>(decoding: packet)
                if case .hello(var hello) = envelope.message {
                    hello.address = address
                    envelope.message = .hello(hello)
                }
                guard let source else { throw WireError(.malformed, expected: "a worker's routing id") }
                handle(.received(source, envelope))
            } catch {
                handle(.undecodable(source, error))
            }
        }
    }

    private func watch() throws {
        while let event = try monitor.next() {
            guard case .handshakeFailed(let endpoint) = event else { continue }
            let line = LogLine(.warning, "stranger refused", ["endpoint": endpoint], isRepeatable: true)
            refusals += 1
            if handshakeLimiter.allows(line, now: .now) { configuration.logger.record(line) }
        }
    }

    private func flush() throws {
        for target in outboxes.keys {
            guard var packets = outboxes[target]?[...] else { continue }
            outboxes[target] = nil
            sending: while let packet = packets.first {
                let frames = [target.bytes, packet.control] + (packet.bulk.map { [$0] } ?? [])
                switch try router.send(frames) {
                case .sent: packets.removeFirst()
                case .wouldBlock: break sending
                case .unreachable:
                    packets = []
                    handle(.unreachable(target))
                }
            }
            // The peer may have been sent more meanwhile; it comes after what is left.
            if !packets.isEmpty { outboxes[target] = packets + (outboxes[target] ?? []) }
        }
    }
}
