import Foundation
import Messaging
import TestSupport
import Testing

/// Whatever comes to the port, the job goes on and its results are the same.
@Suite(.serialized) struct IntruderTests {
    @Test func strangersAndOtherVersions() throws {
        let scratch = try ScratchFolder()
        let job = try TestJob(in: scratch.url, samples: 1500)
        let undisturbed = try ClusterRun(job, in: scratch.url, workers: 1, lanes: 2)
        #expect(try undisturbed.coordinator.exitCode() == 0, "\(undisturbed.coordinator.standardError)")

        let run = try ClusterRun(job, in: scratch.url, workers: 0, lanes: 1)
        try run.coordinator.waitFor("workers connect to")
        var intruders = try Intruders(endpoint: run.endpoint)
        try intruders.raw()
        try run.coordinator.waitFor("stranger refused")

        // Another version is told from random bytes, and told so itself.
        let (own, other) = (WireLimits.protocolVersion, WireLimits.protocolVersion + 1)
        let refusal = try intruders.workerOfVersion(other)
        #expect(refusal == Refusal(.protocolVersion, expected: "\(own)", found: "\(other)"))
        try run.coordinator.waitFor("worker refused")
        #expect(run.coordinator.standardError.contains("refusal.code=protocolVersion"))
        #expect(run.coordinator.standardError.contains("refusal.found=\(other)"))

        try intruders.frames()
        try run.coordinator.waitFor("message refused")

        // All of them stay and go on while the work is done.
        try run.addWorker(lanes: 1)
        while run.coordinator.process.isRunning {
            try intruders.raw()
            try intruders.frames()
            Thread.sleep(forTimeInterval: 0.05)
        }
        #expect(try run.coordinator.exitCode() == 0, "\(run.coordinator.standardError)")
        #expect(try run.workers[0].exitCode() == 0, "\(run.workers[0].standardError)")
        let (expected, found) = (try TestJob.report(undisturbed.output), try TestJob.report(run.output))
        #expect(found.samples == expected.samples)
        #expect(found.digest == expected.digest)
        #expect(found.accuracy == expected.accuracy)
        #expect(found.workers.seen == 1)
        // The log of a flood stays short.
        #expect(run.coordinator.standardError.split(separator: "\n").count < 200)
    }
}

/// Connections that do not speak the protocol.
private struct Intruders {
    private let port: UInt16
    private let endpoint: String
    private let context: ZeroMQContext
    /// One with the name of a worker's, one with a name that no worker has.
    private let dealers: [ZeroMQSocket]
    private let silent: FileHandle
    private var garbage = SystemRandomNumberGenerator()

    init(endpoint: String) throws {
        self.endpoint = endpoint
        port = try #require(endpoint.split(separator: ":").last.flatMap { UInt16($0) })
        context = try ZeroMQContext()
        var options = SocketOptions()
        options.routingID = RoutingID(peer: PeerID(worker: "intruder", incarnation: 1), channel: .control)
        dealers = [
            try ZeroMQSocket(.dealer, in: context, options: options), try ZeroMQSocket(.dealer, in: context),
        ]
        for dealer in dealers { try dealer.connect(endpoint) }
        silent = try Self.connection(port)
    }

    /// TCP connections that send random bytes, a web browser's request, half a greeting of ZeroMQ's, or nothing.
    mutating func raw() throws {
        let greeting = Data([0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3])
        for bytes in [randomData(1), randomData(100), randomData(5000), Data("GET / HTTP/1.1\r\n\r\n".utf8), greeting] {
            let connection = try Self.connection(port)
            // The other side may have hung up: without the flag that would end the test's process.
            _ = bytes.withUnsafeBytes { send(connection.fileDescriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
            try? connection.close()
        }
    }

    /// Messages of ZeroMQ's with random frames: none of ours, ours cut short, ours with one byte changed.
    mutating func frames() throws {
        let goodbye = Envelope(sequence: 1, message: WorkerMessage.goodbye).encoded().control
        var damaged = goodbye
        damaged[damaged.indices.randomElement(using: &garbage) ?? 0] ^= 0x40
        for dealer in dealers {
            for frames in [[randomData(80)], [Data()], [goodbye.dropLast(3)], [damaged], [goodbye, randomData(10)]] {
                _ = try dealer.send(frames)
            }
            _ = try dealer.send((0..<9).map { _ in randomData(30) })
            while try dealer.receive() != nil {}
        }
    }

    /// What a worker of another version is answered.
    func workerOfVersion(_ version: UInt16) throws -> Refusal? {
        let peer = PeerID(worker: "other", incarnation: 1)
        var options = SocketOptions()
        options.routingID = RoutingID(peer: peer, channel: .control)
        let dealer = try ZeroMQSocket(.dealer, in: context, options: options)
        try dealer.connect(endpoint)
        let hello = WorkerMessage.Hello(
            peer: peer, lanes: 1, compute: ComputeIdentity(library: "another", supportedISAs: []), host: "elsewhere",
            process: 1)
        let control = Envelope(sequence: 1, message: .hello(hello)).encoded().ofVersion(version).control
        let end = Date().addingTimeInterval(10)
        while try dealer.send([control]) != .sent, Date() < end { Thread.sleep(forTimeInterval: 0.01) }
        while Date() < end {
            guard let frames = try dealer.receive(), let packet = Packet(frames: frames) else {
                Thread.sleep(forTimeInterval: 0.01)
                continue
            }
            let answer = try Envelope<CoordinatorMessage>(decoding: packet).message
            return if case .refused(let refusal) = answer { refusal } else { nil }
        }
        return nil
    }

    private mutating func randomData(_ count: Int) -> Data {
        Data((0..<count).map { _ in UInt8.random(in: 0...255, using: &garbage) })
    }

    private static func connection(_ port: UInt16) throws -> FileHandle {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        address.sin_port = port.bigEndian
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        return FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    }
}
