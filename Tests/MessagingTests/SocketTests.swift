import Foundation
import Messaging
import Testing

@Suite(.serialized) struct SocketTests {
    /// A router and a dealer that is connected to it.
    private struct Pair {
        let context: ZeroMQContext
        let router: ZeroMQSocket
        let dealer: ZeroMQSocket
        let wakeUp = WakeUp()
        let id = RoutingID(peer: PeerID(worker: "test", incarnation: 1), channel: .control)

        init(_ endpoint: String = "tcp://127.0.0.1:*") throws {
            context = try ZeroMQContext()
            router = try ZeroMQSocket(.router, in: context)
            try router.bind(endpoint)
            var options = SocketOptions()
            options.routingID = id
            dealer = try ZeroMQSocket(.dealer, in: context, options: options)
            try dealer.connect(router.lastEndpoint())
        }

        func receive(_ socket: ZeroMQSocket) throws -> [Data]? {
            for _ in 0..<100 {
                if let frames = try socket.receive() { return frames }
                try Waiting.poll([socket], wakeUp, timeoutMilliseconds: 50)
            }
            return nil
        }

        func send(_ frames: [Data], on socket: ZeroMQSocket) throws -> ZeroMQSocket.SendOutcome {
            for _ in 0..<500 {
                let outcome = try socket.send(frames)
                if outcome == .sent { return outcome }
                usleep(10000)
            }
            return .wouldBlock
        }
    }

    @Test func messagesTravelBothWays() throws {
        let pair = try Pair()
        let large = Data((0..<WireLimits.chunkSize).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        #expect(try pair.send([Data("control".utf8), large], on: pair.dealer) == .sent)
        #expect(try pair.receive(pair.router) == [pair.id.bytes, Data("control".utf8), large])
        #expect(try pair.router.send([pair.id.bytes, Data("back".utf8), Data()]) == .sent)
        #expect(try pair.receive(pair.dealer) == [Data("back".utf8), Data()])
    }

    @Test func whatIsReceivedOutlivesItsSocket() throws {
        var data = Data()
        do {
            let pair = try Pair()
            #expect(try pair.send([Data(repeating: 7, count: 100_000)], on: pair.dealer) == .sent)
            data = try #require(try pair.receive(pair.router)).last ?? Data()
        }
        #expect(data == Data(repeating: 7, count: 100_000))
    }

    @Test func anUnknownPeerIsUnreachable() throws {
        let pair = try Pair()
        #expect(try pair.router.send([Data("nobody".utf8), Data("x".utf8)]) == .unreachable)
    }

    @Test func aFullQueueSaysSo() throws {
        let pair = try Pair()
        #expect(try pair.send([Data("hello".utf8)], on: pair.dealer) == .sent)
        _ = try pair.receive(pair.router)
        var outcome = ZeroMQSocket.SendOutcome.sent
        for _ in 0..<200 where outcome == .sent {
            outcome = try pair.router.send([pair.id.bytes, Data(count: WireLimits.chunkSize)])
        }
        #expect(outcome == .wouldBlock)
    }

    @Test func tooManyFramesAreNotKept() throws {
        let pair = try Pair()
        #expect(try pair.send(Array(repeating: Data("x".utf8), count: 100), on: pair.dealer) == .sent)
        let frames = try #require(try pair.receive(pair.router))
        #expect(frames.count == 5)
        #expect(Packet(frames: frames.dropFirst()) == nil)
        #expect(try pair.router.receive() == nil)
    }

    @Test func aFrameThatIsTooLargeEndsItsConnection() throws {
        let pair = try Pair()
        let monitor = try SocketMonitor(pair.dealer)
        #expect(try pair.send([Data(count: WireLimits.chunkSize + 1)], on: pair.dealer) == .sent)
        var events: [SocketMonitor.Event] = []
        for _ in 0..<100 where !events.contains(.disconnected) {
            try Waiting.poll([monitor.socket], pair.wakeUp, timeoutMilliseconds: 50)
            while let event = try monitor.next() { events.append(event) }
        }
        #expect(events.contains(.disconnected))
        #expect(try pair.router.receive() == nil)
    }

    @Test func aWakeUpEndsTheWait() throws {
        let pair = try Pair()
        let wakeUp = pair.wakeUp
        Thread { wakeUp.signal() }.start()
        let began = Date()
        try Waiting.poll([pair.router], wakeUp, timeoutMilliseconds: 20000)
        #expect(Date().timeIntervalSince(began) < 10)
        wakeUp.clear()
    }

    @Test func aBadEndpointIsNamed() throws {
        let pair = try Pair()
        let error = #expect(throws: ZeroMQError.self) { try pair.router.bind("tcp://nonsense") }
        #expect(error?.endpoint == "tcp://nonsense")
    }

    @Test func aSocketBelongsToItsThread() async {
        await #expect(processExitsWith: .failure) {
            let context = try ZeroMQContext()
            let socket = try ZeroMQSocket(.router, in: context)
            nonisolated(unsafe) let shared = socket
            let done = DispatchSemaphore(value: 0)
            Thread {
                _ = try? shared.receive()
                done.signal()
            }.start()
            _ = done.wait(timeout: .now() + 10)
        }
    }
}
