import Cluster
import ClusterProtocol
import Foundation
import Glibc
import Logging
import Messaging
import Synchronization
import Tensors
import Testing

/// Who does not belong is refused and logged, and the job goes on.
@Suite(.serialized) struct StrangerTests {
    /// Runs a job of one worker while strangers speak; returns the coordinator's log lines.
    private func job(beside stranger: @escaping @Sendable (String) throws -> Void) async throws -> [String] {
        let log = LogLines()
        return try await onThread {
            var configuration = Toy.coordinator()
            configuration.logger = log.logger
            let coordinator = try Coordinator(configuration: configuration)
            let endpoint = coordinator.boundEndpoint
            let strangerIsDone = DispatchSemaphore(value: 0)
            let source = RandomShards(30, payloadSize: 1000) { shard in
                // In the midst of the job.
                if shard == 10 {
                    try stranger(endpoint)
                    strangerIsDone.signal()
                }
            }
            let worker = RunningWorker(Toy.worker(endpoint))
            let outcome = try coordinator.run(
                pass: PassDescription(name: "count", descriptor: Data()), source: source, reducer: ByteHistogram())
            #expect(outcome.state == RandomShards.expected(30, payloadSize: 1000))
            // The coordinator may hear of the last ones later.
            for _ in 0..<100 where !log.lines.contains(where: { $0.contains("refused") }) { usleep(100_000) }
            coordinator.finish()
            #expect(try worker.exit() == .finished)
            return log.lines
        }
    }

    @Test func randomBytesOverTCP() async throws {
        let lines = try await job { endpoint in
            var random = CounterRandom(key: 1)
            for size in [1, 10, 64, 1000, 100_000] {
                let connection = try RawConnection(endpoint)
                connection.send((0..<size).map { _ in UInt8.random(in: 0...255, using: &random) })
                connection.close()
            }
            // A browser that has the wrong port.
            let connection = try RawConnection(endpoint)
            connection.send(Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8))
            connection.close()
        }
        #expect(lines.contains { $0.contains("stranger refused") })
    }

    @Test func randomBytesOverZeroMQ() async throws {
        let lines = try await job { endpoint in
            var random = CounterRandom(key: 2)
            let context = try ZeroMQContext()
            var options = SocketOptions()
            options.lingerMilliseconds = 1000
            let dealer = try ZeroMQSocket(.dealer, in: context, options: options)
            try dealer.connect(endpoint)
            for size in 0..<50 {
                let frames = (0...size % 4).map { _ in
                    Data((0..<size * 10).map { _ in UInt8.random(in: 0...255, using: &random) })
                }
                for _ in 0..<100 where try dealer.send(frames) != .sent { usleep(10000) }
            }
        }
        #expect(lines.contains { $0.contains("stranger refused") && $0.contains("error.code=") })
    }

    /// A worker's hello with another version in its header gets an answer that it can read: a header of ours.
    @Test func anotherProtocolVersion() async throws {
        let (own, other) = (WireLimits.protocolVersion, WireLimits.protocolVersion + 1)
        let lines = try await job { endpoint in
            let context = try ZeroMQContext()
            var options = SocketOptions()
            options.routingID = RoutingID(peer: PeerID(worker: "future", incarnation: 1), channel: .control)
            let dealer = try ZeroMQSocket(.dealer, in: context, options: options)
            try dealer.connect(endpoint)
            let packet = Packet(sealing: Data("hello of another version".utf8), bulk: nil, version: other)
            for _ in 0..<100 where try dealer.send([packet.control]) != .sent { usleep(10000) }
            var answer: [Data]?
            for _ in 0..<100 where answer == nil {
                try Waiting.poll([dealer], WakeUp(), timeoutMilliseconds: 50)
                answer = try dealer.receive()
            }
            let frames = try #require(answer)
            let envelope = try Envelope<CoordinatorMessage>(decoding: #require(Packet(frames: frames)))
            #expect(envelope.message == .refused(Refusal(.protocolVersion, expected: "\(own)", found: "\(other)")))
        }
        #expect(lines.contains { $0.contains("worker refused") && $0.contains("refusal.code=protocolVersion") })
    }

    @Test func aWorkerThatComputesWithSomethingElse() async throws {
        let lines = try await job { endpoint in
            var configuration = Toy.worker(endpoint)
            configuration.compute.library = "toy 2"
            let first = try RunningWorker(configuration).exit()
            #expect(first == .refused(Refusal(.library, expected: "toy 1", found: "toy 2")))
            configuration.compute = ComputeIdentity(library: "toy 1", supportedISAs: ["narrow"])
            let second = try RunningWorker(configuration).exit()
            #expect(second == .refused(Refusal(.instructionSet, expected: "plain", found: "narrow")))
        }
        #expect(lines.contains { $0.contains("refusal.code=library") })
        #expect(lines.contains { $0.contains("refusal.code=instructionSet") })
    }

    /// A coordinator of another version refuses a worker of ours, which must understand as much.
    @Test func aCoordinatorOfAnotherVersion() async throws {
        try await onThread {
            let router = try ZeroMQSocket(.router, in: ZeroMQContext())
            try router.bind("tcp://127.0.0.1:*")
            let worker = RunningWorker(Toy.worker(try router.lastEndpoint()))
            for _ in 0..<200 {
                try Waiting.poll([router], WakeUp(), timeoutMilliseconds: 50)
                guard let frames = try router.receive() else { continue }
                let answer = Packet(sealing: Data("refused, in version 7".utf8), bulk: nil, version: 7)
                _ = try router.send([frames[0], answer.control])
                break
            }
            #expect(
                try worker.exit()
                    == .refused(Refusal(.protocolVersion, expected: "7", found: "\(WireLimits.protocolVersion)")))
        }
    }
}

/// A TCP connection without any protocol.
struct RawConnection {
    private let descriptor: Int32

    init(_ endpoint: String) throws {
        let port = try #require(UInt16(endpoint.split(separator: ":").last ?? ""))
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let status = withUnsafeBytes(of: &address) { bytes in
            connect(
                descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self),
                socklen_t(MemoryLayout<sockaddr_in>.size))
        }
        try #require(status == 0)
    }

    func send(_ bytes: [UInt8]) {
        // The other side may have hung up already.
        _ = Glibc.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
    }

    func close() {
        _ = Glibc.close(descriptor)
    }
}

/// Keeps log lines: the message and its metadata, sorted.
final class LogLines: Sendable {
    private let kept = Mutex<[String]>([])

    var lines: [String] { kept.withLock { $0 } }

    var logger: Logger {
        Logger(label: "test") { [self] _ in Handler(log: self) }
    }

    struct Handler: LogHandler {
        let log: LogLines
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.debug

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: Logging.LogEvent) {
            let fields = (event.metadata ?? [:]).sorted { $0.key < $1.key }.map { "\($0.key)=\($0.value)" }
            log.kept.withLock { $0.append(([event.message.description] + fields).joined(separator: " ")) }
        }
    }
}
