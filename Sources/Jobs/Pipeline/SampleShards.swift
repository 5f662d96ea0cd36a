import Cluster
import Datasets
import Foundation

/// A dataset cut into shards of consecutive samples. The cut depends on the job alone, so a shard is the same samples
/// whoever computes it and whenever.
package struct SampleShards: ShardSource {
    /// Samples per shard; the last shard takes what remains.
    package let shardSize: Int
    /// Shards in all.
    package let count: Int
    /// Samples in all, bad ones included.
    package let sampleCount: Int
    private let stream: any SampleStream
    private let skipsBadSamples: Bool
    private var nextIndex = 0

    /// About so many input elements make a shard, so that one costs a fraction of a second of computing and a few MB of
    /// memory, whatever the network.
    private static let elementsPerShard = 1 << 20
    private static let samplesPerShard = 256

    package init(_ source: DatasetSource, inputElements: Int, batch: Int, skipsBadSamples: Bool) throws {
        let wanted = min(Self.elementsPerShard / max(inputElements, 1), Self.samplesPerShard)
        shardSize = batch * max(wanted / batch, 1)
        sampleCount = try source.count()
        count = (sampleCount + shardSize - 1) / shardSize
        stream = try source.open()
        self.skipsBadSamples = skipsBadSamples
    }

    /// Passes over the next shard, which is done already.
    package mutating func skip() throws -> Bool {
        guard nextIndex < count else { return false }
        _ = try stream.skip(min(shardSize, sampleCount - nextIndex * shardSize))
        nextIndex += 1
        return true
    }

    package mutating func next() throws -> Shard? {
        guard nextIndex < count else { return nil }
        let wanted = min(shardSize, sampleCount - nextIndex * shardSize)
        var samples: [Sample] = []
        samples.reserveCapacity(wanted)
        while samples.count < wanted {
            do {
                guard let sample = try stream.next() else { break }
                samples.append(sample)
            } catch let error as DatasetError where error.isBadSample && skipsBadSamples {
                // Sent without content, so that the worker counts it as it counts every bad sample.
                samples.append(Sample(key: error.key, source: error.file, content: .image(Data())))
            }
        }
        defer { nextIndex += 1 }
        return Shard(index: nextIndex, sampleCount: samples.count, payload: ShardPayload(samples: samples).encoded())
    }
}
