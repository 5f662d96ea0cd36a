import Messaging
import Support

/// Which shards of a pass are committed, with enough of each digest to notice a later result that differs: 8 bytes a
/// shard, 320 kB for ImageNet in batches of 32.
package struct CommittedShards: Equatable, Sendable {
    // 0 stands for a shard that is not committed; a digest that begins with 64 zeros is kept as 1.
    private var prefixes: [UInt64] = []
    /// Committed shards.
    package private(set) var count = 0
    /// Samples of the committed shards.
    package private(set) var samples = 0

    /// None.
    package init() {}

    /// Whether a shard is committed.
    package func contains(_ shard: Int) -> Bool {
        shard < prefixes.count && prefixes[shard] != 0
    }

    /// Nil when the shard is not committed.
    package func matches(_ shard: Int, digest: SHA256Digest) -> Bool? {
        contains(shard) ? prefixes[shard] == max(1, digest.prefix) : nil
    }

    /// Adds a shard.
    /// - Precondition: it is not committed.
    package mutating func insert(_ shard: Int, digest: SHA256Digest, samples: Int) {
        if shard >= prefixes.count {
            prefixes.append(contentsOf: repeatElement(0, count: shard + 1 - prefixes.count))
        }
        precondition(prefixes[shard] == 0, "a shard was committed twice")
        prefixes[shard] = max(1, digest.prefix)
        count += 1
        self.samples += samples
    }
}
