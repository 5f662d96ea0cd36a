import Foundation
import Messaging
import Support
import Tensors
import Testing

@Suite struct CodecTests {
    @Test func messagesComeBackAsTheyWere() throws {
        for seed in 0..<50 as Range<UInt64> {
            var examples = ExampleMessages(seed: seed)
            for message in examples.fromWorker() {
                let envelope = Envelope(sequence: examples.random.next(), message: message)
                #expect(try Envelope(decoding: envelope.encoded()) == envelope, "seed \(seed)")
            }
            for message in examples.fromCoordinator() {
                let envelope = Envelope(sequence: examples.random.next(), message: message)
                #expect(try Envelope(decoding: envelope.encoded()) == envelope, "seed \(seed)")
            }
            for message in examples.betweenWorkers() {
                #expect(try PeerMessage(decoding: message.encoded()) == message, "seed \(seed)")
            }
        }
    }

    @Test func theSideThatAMessageComesFromIsNotGuessed() {
        // The two directions are different types of the same shape: what one cannot be taken for is at worst another
        // message of the same fields, never a trap.
        var examples = ExampleMessages(seed: 1)
        for message in examples.fromWorker() {
            _ = try? Envelope<CoordinatorMessage>(decoding: Envelope(sequence: 1, message: message).encoded())
        }
    }

    @Test func everyFlippedBitIsRejected() {
        var examples = ExampleMessages(seed: 2)
        for message in examples.fromWorker() {
            rejectsFlippedBits(Envelope(sequence: 5, message: message).encoded()) {
                try Envelope<WorkerMessage>(decoding: $0)
            }
        }
        for message in examples.fromCoordinator() {
            rejectsFlippedBits(Envelope(sequence: 5, message: message).encoded()) {
                try Envelope<CoordinatorMessage>(decoding: $0)
            }
        }
        for message in examples.betweenWorkers() {
            rejectsFlippedBits(message.encoded()) { try PeerMessage(decoding: $0) }
        }
    }

    private func rejectsFlippedBits(_ packet: Packet, _ decode: (Packet) throws -> some Any) {
        for bit in 0..<packet.control.count * 8 {
            var damaged = packet
            damaged.control[bit / 8] ^= 1 << (bit % 8)
            #expect(throws: WireError.self, "bit \(bit)") { try decode(damaged) }
        }
        for bit in 0..<(packet.bulk?.count ?? 0) * 8 {
            var damaged = packet
            damaged.bulk?[bit / 8] ^= 1 << (bit % 8)
            #expect(throws: WireError(.checksum, expected: "bulk"), "bit \(bit)") { try decode(damaged) }
        }
    }

    @Test func everyTruncationIsRejected() {
        var examples = ExampleMessages(seed: 3)
        for message in examples.fromCoordinator() {
            rejectsOtherLengths(Envelope(sequence: 5, message: message).encoded()) {
                try Envelope<CoordinatorMessage>(decoding: $0)
            }
        }
        for message in examples.betweenWorkers() {
            rejectsOtherLengths(message.encoded()) { try PeerMessage(decoding: $0) }
        }
    }

    private func rejectsOtherLengths(_ packet: Packet, _ decode: (Packet) throws -> some Any) {
        for length in 0..<packet.control.count {
            #expect(throws: WireError.self) {
                try decode(Packet(control: packet.control.prefix(length), bulk: packet.bulk))
            }
        }
        #expect(throws: WireError.self) {
            try decode(Packet(control: packet.control + Data([0]), bulk: packet.bulk))
        }
    }

    @Test func aBulkFrameBelongsToItsMessage() {
        let plain = Envelope(sequence: 1, message: WorkerMessage.goodbye).encoded()
        #expect(throws: WireError.self) {
            try Envelope<WorkerMessage>(decoding: Packet(control: plain.control, bulk: Data()))
        }
        let chunk = WorkerMessage.resultChunk(token: LeaseToken(epoch: 1, counter: 2), offset: 0, chunk: Data([1, 2]))
        let bulky = Envelope(sequence: 1, message: chunk).encoded()
        #expect(throws: WireError.self) { try Envelope<WorkerMessage>(decoding: Packet(control: bulky.control)) }
        #expect(throws: WireError.self) {
            try Envelope<WorkerMessage>(decoding: Packet(control: bulky.control, bulk: Data([1, 2, 3])))
        }
        let ready = PeerMessage(.ready, pass: 1, attempt: 1).encoded()
        #expect(throws: WireError.self) { try PeerMessage(decoding: Packet(control: ready.control, bulk: Data())) }
        let part = PeerMessage(.reduced, pass: 1, attempt: 1, data: Data([1])).encoded()
        #expect(throws: WireError.self) { try PeerMessage(decoding: Packet(control: part.control)) }
    }

    @Test func randomBytesAreRejected() {
        var random = CounterRandom(key: 4)
        for size in 0..<2000 {
            let bytes = Data((0..<size % 200).map { _ in UInt8.random(in: 0...255, using: &random) })
            #expect(throws: WireError.self) { try Envelope<WorkerMessage>(decoding: Packet(control: bytes)) }
            #expect(throws: WireError.self) { try PeerMessage(decoding: Packet(control: bytes, bulk: bytes)) }
            #expect(throws: WireError.self) {
                try Envelope<CoordinatorMessage>(decoding: Packet(control: bytes, bulk: bytes))
            }
            _ = RoutingID(bytes: bytes)
        }
    }

    /// Bodies whose checksums are right and whose contents are nonsense: the next line of defence.
    @Test func soundHeadersOfRandomBodiesNeverTrap() throws {
        var examples = ExampleMessages(seed: 5)
        var decoded = 0
        for message in (0..<20).flatMap({ _ in examples.fromWorker() }) {
            let packet = Envelope(sequence: 5, message: message).encoded()
            for _ in 0..<50 {
                var body = packet.control.dropFirst(40)
                for _ in 0..<Int.random(in: 1...4, using: &examples.random) {
                    let index = Int.random(in: body.indices, using: &examples.random)
                    body[index] = UInt8.random(in: 0...255, using: &examples.random)
                }
                let sealed = Packet(sealing: Data(body), bulk: packet.bulk)
                if (try? Envelope<WorkerMessage>(decoding: sealed)) != nil { decoded += 1 }
                _ = try? Envelope<CoordinatorMessage>(decoding: sealed)
                _ = try? PeerMessage(decoding: sealed)
            }
        }
        for message in (0..<20).flatMap({ _ in examples.betweenWorkers() }) {
            for _ in 0..<50 {
                var body = Data(message.encoded().control.dropFirst(40))
                body[Int.random(in: body.indices, using: &examples.random)] = UInt8.random(
                    in: 0...255, using: &examples.random)
                _ = try? PeerMessage(decoding: Packet(sealing: body, bulk: message.kind == .ready ? nil : message.data))
            }
        }
        // Otherwise the bodies were not what they were meant to be.
        #expect(decoded > 100)
    }

    @Test func anotherProtocolVersionIsRecognised() {
        let body = Data("whatever the other version says".utf8)
        let packet = Packet(sealing: body, bulk: nil, version: WireLimits.protocolVersion + 1)
        let expected = WireError(
            .protocolVersion, expected: "\(WireLimits.protocolVersion)", found: "\(WireLimits.protocolVersion + 1)")
        #expect(throws: expected) { try Envelope<WorkerMessage>(decoding: packet) }
    }

    /// The header's layout is a promise to all other versions.
    @Test func theHeaderStaysAsItIs() {
        let packet = Envelope(sequence: 1, message: WorkerMessage.goodbye).encoded()
        let hexadecimal = packet.control.map { String(Int($0) + 256, radix: 16).dropFirst() }.joined()
        #expect(
            hexadecimal
                // magic, version, zero, body length, no bulk, body checksum, bulk checksum, header checksum, body
                == "4351534d" + "0400" + "0000" + "04000000" + "ffffffff" + "44e0df0660f9d4db" + "0000000000000000"
                + "7b43b21e6054b977" + "08016200"
        )
    }

    @Test func fieldsOutOfRangeAreRejected() {
        let messages: [WorkerMessage] = [
            .request(pass: 0, credits: 65537), .request(pass: 0, credits: 0),
            .returned(tokens: Array(repeating: LeaseToken(rawValue: 1), count: WireLimits.tokensPerMessage + 1)),
            .fetch(artifact: SHA256Digest(of: Data()), offset: WireLimits.artifactSize + 1),
            .result(
                WorkerMessage.ResultMessage(
                    pass: 0, shard: 0, token: LeaseToken(rawValue: 0), digest: SHA256Digest(of: Data()), size: 1,
                    computeNanoseconds: 0, chunk: Data([1, 2]))),
            .hello(
                WorkerMessage.Hello(
                    peer: PeerID(worker: "w", incarnation: 1), lanes: 1,
                    compute: ComputeIdentity(library: "", supportedISAs: []), host: "", process: 1,
                    exchangePort: 65536)),
            .reduced(pass: 0, attempt: 1, digest: Data(count: 1025)),
        ]
        for message in messages {
            #expect(throws: WireError.self) {
                try Envelope<WorkerMessage>(decoding: Envelope(sequence: 1, message: message).encoded())
            }
        }
    }

    @Test func routingIDsHaveOneSpelling() {
        let peer = PeerID(worker: "5e1f", incarnation: 3)
        for channel in [Channel.control, .heartbeat] {
            let id = RoutingID(peer: peer, channel: channel)
            #expect(RoutingID(bytes: id.bytes) == id)
        }
        for wrong in ["", "a", "/1", "a/", "a/x", "a/01", "a/+1", "a/1/", "a/1/heartbeats", "a/1/heartbeat/", "a/-1"] {
            #expect(RoutingID(bytes: Data(wrong.utf8)) == nil, "\(wrong)")
        }
        #expect(RoutingID(bytes: Data([0, 1, 2, 3, 4])) == nil)
    }

    @Test func laterTokensAreGreater() {
        let tokens = [(1, 7), (1, 8), (2, 0), (2, 1)].map { LeaseToken(epoch: $0.0, counter: $0.1) }
        #expect(tokens == tokens.sorted())
        #expect(LeaseToken(rawValue: tokens[1].rawValue) == tokens[1])
    }
}
