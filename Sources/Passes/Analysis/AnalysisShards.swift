import ClusterProtocol
import Foundation
import Support

/// Shards of an analysis: each shard of samples once for every block of variants, one after the other, so that samples are
/// read once.
package struct AnalysisShards: CountedShards {
    private var samples: SampleShards
    private let task: Analysis
    /// The shard of samples that the next shard takes, and the block of variants.
    private var place = 0
    private var block = 0
    private var current: Shard?

    /// - Parameter samples: the shards of the samples, none of which has been taken.
    package init(_ samples: SampleShards, _ task: Analysis) {
        self.samples = samples
        self.task = task
    }

    /// Shards of samples times blocks of variants.
    package var count: Int { samples.count * task.blockCount }

    /// Samples times variants: what there is to compute.
    package var sampleCount: Int { samples.sampleCount * task.variants.count }

    /// The next block of variants with the samples at hand; after the last block with the next samples.
    package mutating func next() throws -> Shard? {
        guard place < samples.count else { return nil }
        if current == nil { current = try samples.next() }
        guard let current else { return nil }
        let shard = Shard(
            index: place * task.blockCount + block,
            sampleCount: current.sampleCount * task.variants(ofBlock: block).count,
            payload: AnalysisPayload(block: block, samples: current.payload).encoded())
        if moveOn() { self.current = nil }
        return shard
    }

    /// Moves past a block; samples are read only where a later block needs them.
    package mutating func skip() throws -> Bool {
        guard place < samples.count else { return false }
        guard moveOn() else { return true }
        if current == nil { return try samples.skip() }
        current = nil
        return true
    }

    /// - Returns: whether all blocks of a shard of samples are behind.
    private mutating func moveOn() -> Bool {
        block += 1
        guard block == task.blockCount else { return false }
        block = 0
        place += 1
        return true
    }
}

/// A block of variants (UInt32, little-endian) and the payload of a shard of samples.
package struct AnalysisPayload {
    /// From 0.
    package var block: Int
    /// As `ShardPayload` encodes it.
    package var samples: Data

    /// The number, then the payload.
    package func encoded() -> Data {
        var writer = ByteWriter(capacity: 4 + samples.count)
        writer.append(UInt32(block))
        writer.append(samples)
        return writer.data
    }

    package init(block: Int, samples: Data) {
        self.block = block
        self.samples = samples
    }

    /// Nil where it is too short.
    package init?(decoding data: Data) {
        var reader = ByteReader(data, record: "analysis payload")
        guard let block = try? reader.take(UInt32.self) else { return nil }
        self.block = Int(block)
        samples = reader.takeRest()
    }
}
