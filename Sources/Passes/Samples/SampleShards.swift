import ClusterProtocol
import Datasets
import Foundation

/// A dataset cut into shards of consecutive samples. The cut depends on the job alone, so a shard is the same samples
/// whoever computes it and whenever.
package struct SampleShards: CountedShards {
    /// Samples per shard; the last shard takes what remains.
    package let shardSize: Int
    /// Shards in all.
    package let count: Int
    /// Samples in all, bad ones included.
    package let sampleCount: Int
    /// The files, as they are called where they do not hold what was counted in them.
    private let files: String
    private let stream: any SampleStream
    private let skipsBadSamples: Bool
    private var nextIndex = 0

    /// About so many input elements make a shard, so that one costs a fraction of a second of computing and 20 MB of
    /// memory, whatever the network.
    private static let elementsPerShard = 5 << 20
    /// More would make shards of tiny samples too few to share out.
    private static let samplesPerShard = 256
    /// Where samples have many shapes, each of which takes a plan.
    private static let varyingSamplesPerShard = 64

    /// - Parameters:
    ///   - inputElements: of one sample, all inputs together.
    ///   - batch: samples of a tile; shards are of whole tiles.
    ///   - mayVary: whether samples may have different extents.
    /// - Throws: `DatasetError` where the samples cannot be counted.
    package init(
        _ source: DatasetSource, inputElements: Int, batch: Int, mayVary: Bool = false, skipsBadSamples: Bool
    ) throws {
        let most = mayVary ? Self.varyingSamplesPerShard : Self.samplesPerShard
        let wanted = min(Self.elementsPerShard / max(inputElements, 1), most)
        shardSize = batch * max(wanted / batch, 1)
        sampleCount = try source.count()
        count = (sampleCount + shardSize - 1) / shardSize
        files = source.files.map(\.path).joined(separator: ", ")
        stream = try source.open()
        self.skipsBadSamples = skipsBadSamples
    }

    /// Passes over the next shard, which is done already.
    /// - Throws: `DatasetError`, as `next` does.
    package mutating func skip() throws -> Bool {
        guard nextIndex < count else { return false }
        let wanted = min(shardSize, sampleCount - nextIndex * shardSize)
        try checkComplete(wanted: wanted, found: try stream.skip(wanted))
        nextIndex += 1
        return true
    }

    /// The next shard; nil behind the last.
    /// - Throws: what reading the samples throws, and `DatasetError(.truncatedSource)` where there are fewer samples than were
    ///   counted, as in files that changed meanwhile.
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
        try checkComplete(wanted: wanted, found: samples.count)
        defer { nextIndex += 1 }
        return Shard(index: nextIndex, sampleCount: samples.count, payload: ShardPayload(samples: samples).encoded())
    }

    /// A shard that lacks samples would change the result without a word.
    private func checkComplete(wanted: Int, found: Int) throws {
        guard found == wanted else {
            throw DatasetError(
                .truncatedSource, file: files, expected: "\(sampleCount) samples",
                found: "\(nextIndex * shardSize + found)")
        }
    }
}
