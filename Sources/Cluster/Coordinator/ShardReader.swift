import ClusterProtocol
import Foundation
import Support

/// Reads a pass's shards ahead on a thread of its own, as many as it is asked for.
enum ShardReader {
    /// A request for no shards ends the thread.
    static let stop = 0

    static func start(
        source: sending any ShardSource, committed: CommittedShards, readAgain: [Int: SHA256Digest],
        requests: Mailbox<Int>,
        inbox: Inbox<CoordinatorLoop.Input>, failures: Mailbox<CoordinatorLoop.Output>
    ) -> NamedThread {
        let handover = Handover(source)
        return NamedThread("quantsim.reader") {
            var source = handover.value
            var index = 0
            do {
                while true {
                    for count in requests.takeAll(timeout: .seconds(1)) {
                        if count == stop { return }
                        for _ in 0..<count {
                            guard let shard = try next(&source, &index, committed, readAgain) else {
                                inbox.put(.event(.sourceEnded(shards: index)))
                                return
                            }
                            inbox.put(.event(.shardRead(shard)))
                        }
                    }
                }
            } catch {
                failures.put(.sourceFailed(error))
            }
        }
    }

    /// The next shard that is not committed; `index` counts all that were passed.
    private static func next(
        _ source: inout any ShardSource, _ index: inout Int, _ committed: CommittedShards,
        _ readAgain: [Int: SHA256Digest]
    ) throws -> Shard? {
        while committed.contains(index) {
            if let digest = readAgain[index] {
                guard let shard = try source.next() else { return nil }
                guard SHA256Digest(of: shard.payload) == digest else {
                    throw ClusterError(
                        .otherJob, shard: index, expected: "the samples that were computed with before",
                        found: "others in the same place")
                }
            } else {
                guard try source.skip() else { return nil }
            }
            index += 1
        }
        guard let shard = try source.next() else { return nil }
        guard shard.index == index, index <= UInt32.max, shard.sampleCount >= 0, shard.sampleCount <= UInt32.max else {
            throw ClusterError(.shard, shard: shard.index, expected: "index \(index)")
        }
        guard shard.payload.count <= ProtocolLimits.maximumShardSize else {
            throw ClusterError(
                .shard, shard: index, expected: "at most \(ProtocolLimits.maximumShardSize) bytes",
                found: "\(shard.payload.count)")
        }
        index += 1
        return shard
    }
}
