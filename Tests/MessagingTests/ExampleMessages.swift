import Foundation
import Messaging
import Support
import Tensors

/// One of each kind of message, with fields drawn from a seed.
struct ExampleMessages {
    var random: CounterRandom

    init(seed: UInt64) {
        random = CounterRandom(key: seed, 99)
    }

    mutating func bytes(_ range: ClosedRange<Int>) -> Data {
        let size = Int.random(in: range, using: &random)
        return Data((0..<size).map { _ in UInt8.random(in: 0...255, using: &random) })
    }

    mutating func text() -> String {
        String(decoding: bytes(0...20).map { $0 % 0x5F + 0x20 }, as: UTF8.self)
    }

    mutating func digest() -> SHA256Digest { SHA256Digest(of: bytes(0...8)) }

    mutating func int(_ range: ClosedRange<Int> = 0...1_000_000) -> Int { Int.random(in: range, using: &random) }

    mutating func token() -> LeaseToken { LeaseToken(rawValue: random.next()) }

    mutating func tokens() -> [LeaseToken] { (0..<int(0...5)).map { _ in token() } }

    mutating func failure() -> ShardFailure {
        ShardFailure(permanent: int(0...1) == 1, code: text(), fields: [text(): text(), "é": "\0"])
    }

    mutating func heartbeat() -> HeartbeatMessage { HeartbeatMessage(sent: random.next(), received: random.next()) }

    mutating func peer() -> PeerID { PeerID(worker: text(), incarnation: random.next()) }

    mutating func reference() -> ArtifactReference { ArtifactReference(id: digest(), size: int()) }

    mutating func fromWorker() -> [WorkerMessage] {
        let chunk = bytes(0...50)
        return [
            .hello(
                WorkerMessage.Hello(
                    peer: peer(), lanes: int(1...4096),
                    compute: ComputeIdentity(library: text(), supportedISAs: [text(), text()]), host: text(),
                    process: int(), exchangePort: int(0...65535))),
            .heartbeat(heartbeat()),
            .fetch(artifact: digest(), offset: int()),
            .passReady(pass: int(), probe: digest()),
            .passFailed(pass: int(), failure()),
            .request(pass: int(), credits: int(1...65536)),
            .result(
                WorkerMessage.ResultMessage(
                    pass: int(), shard: int(), token: token(), digest: digest(), size: chunk.count + int(),
                    computeNanoseconds: int(), chunk: chunk)),
            .resultChunk(token: token(), offset: int(), chunk: bytes(0...50)),
            .shardFailed(pass: int(), shard: int(), token: token(), failure()),
            .returned(tokens: tokens()),
            .goodbye,
            .reduced(pass: int(), attempt: int(), digest: bytes(0...1024)),
            .reductionFailed(pass: int(), attempt: int(), peers: (0..<int(0...5)).map { _ in peer() }, reason: text()),
        ]
    }

    mutating func fromCoordinator() -> [CoordinatorMessage] {
        let chunk = bytes(0...50)
        return [
            .welcome(
                CoordinatorMessage.Welcome(
                    job: text(), epoch: UInt32.random(in: 0...UInt32.max, using: &random), isa: text(),
                    heartbeatIntervalMilliseconds: int(1...3_600_000), heartbeatTimeoutMilliseconds: int(1...3_600_000))
            ),
            .refused(Refusal(.instructionSet, expected: text(), found: text())),
            .rejoin,
            .heartbeat(heartbeat()),
            .passBegin(
                CoordinatorMessage.PassBegin(
                    pass: int(), name: text(), descriptor: reference(), artifacts: [reference(), reference()],
                    isReduced: int(0...1) == 1)),
            .artifactChunk(artifact: digest(), offset: int(), chunk: bytes(0...50)),
            .lease(
                CoordinatorMessage.LeaseMessage(
                    pass: int(), shard: int(), token: token(), sampleCount: int(), size: chunk.count + int(),
                    chunk: chunk)),
            .leaseChunk(token: token(), offset: int(), chunk: bytes(0...50)),
            .ack(tokens: tokens()),
            .revoke(tokens: tokens()),
            .shutdown(reason: .jobFailed, detail: text()),
            .exchange(
                ExchangePlan(
                    pass: int(), attempt: int(),
                    roster: (0..<int(1...5)).map { _ in
                        ExchangePlan.Participant(
                            peer: peer(), endpoint: text(), shards: (0..<int(0...5)).map { _ in int() })
                    })),
        ]
    }

    mutating func betweenWorkers() -> [PeerMessage] {
        [
            PeerMessage(.ready, pass: int(), attempt: int()),
            PeerMessage(.contribution, pass: int(), attempt: int(), part: int(), data: bytes(0...50)),
            PeerMessage(.reduced, pass: int(), attempt: int(), part: int(), data: bytes(0...50)),
        ]
    }
}
