import Datasets
import Foundation
import Messaging
import Quantization

/// What arrives over the network: packets as they are, bodies behind a sound header, payloads and results of shards.
/// The first byte of the input says which.
final class WireTarget: FuzzTarget {
    func run(_ input: Data) throws {
        guard let kind = input.first else { return }
        let rest = Data(input.dropFirst())
        switch kind % 8 {
        case 0: try check(Packet(control: rest))
        case 1: try check(Packet(sealing: rest, bulk: nil))
        case 2: try check(Packet(sealing: rest, bulk: Data([1, 2, 3])))
        case 3: try check(Packet(sealing: Data(rest.prefix(13)), bulk: Data(rest.dropFirst(13))))
        case 4: try checkPayload(rest)
        case 5: try checkStatistics(rest)
        default: break
        }
    }

    private func check(_ packet: Packet) throws {
        if let message = try refusing(with: WireError.self, { try Envelope<CoordinatorMessage>(decoding: packet) }) {
            let again = try refusing(with: WireError.self) {
                try Envelope<CoordinatorMessage>(decoding: message.encoded())
            }
            guard again == message else { throw FuzzFinding("the coordinator's message is another once sent") }
        }
        if let message = try refusing(with: WireError.self, { try Envelope<WorkerMessage>(decoding: packet) }) {
            let again = try refusing(with: WireError.self) { try Envelope<WorkerMessage>(decoding: message.encoded()) }
            guard again == message else { throw FuzzFinding("the worker's message is another once sent") }
        }
        if let message = try refusing(with: WireError.self, { try PeerMessage(decoding: packet) }) {
            let again = try refusing(with: WireError.self) { try PeerMessage(decoding: message.encoded()) }
            guard again == message else { throw FuzzFinding("the peer's message is another once sent") }
        }
    }

    private func checkPayload(_ bytes: Data) throws {
        guard let payload = try refusing(with: DatasetError.self, { try ShardPayload(decoding: bytes) }) else { return }
        let again = try refusing(with: DatasetError.self) { try ShardPayload(decoding: payload.encoded()) }
        guard again == payload else { throw FuzzFinding("the payload is another once sent") }
    }

    private func checkStatistics(_ bytes: Data) throws {
        guard let set = try? StatisticsSet(decoding: bytes) else { return }
        guard set.encoded() == bytes else { throw FuzzFinding("statistics have two forms") }
        var sum = set
        sum.merge(set)
        _ = sum.encoded()
    }
}
