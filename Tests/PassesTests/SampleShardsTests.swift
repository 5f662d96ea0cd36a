import ClusterProtocol
import Datasets
import Foundation
import Graph
import Passes
import Tensors
import Testing
import TestSupport

@Suite struct SampleShardsTests {
    private func source(_ scratch: ScratchFolder, samples: Int, limit: Int? = nil) throws -> DatasetSource {
        let rows = Tensor(shape: [samples, 2], (0..<2 * samples).map { Float($0) })
        let labels = Tensor(shape: [samples], (0..<samples).map { Int64($0) })
        try NPZ.write([("x", rows), ("labels", labels)], to: scratch.url.appendingPathComponent("data.npz"))
        return try DatasetSource(path: "data.npz", relativeTo: scratch.url, limit: limit)
    }

    private func shards(_ source: DatasetSource, elements: Int, batch: Int, skips: Bool = false) throws -> SampleShards
    {
        try SampleShards(source, inputElements: elements, batch: batch, skipsBadSamples: skips)
    }

    private func labels(_ shard: Shard) throws -> [Int] {
        try ShardPayload(decoding: shard.payload).samples.compactMap(\.label)
    }

    /// Whole batches of about five million elements, at most 256 samples.
    @Test(arguments: [
        (1, 32, 256), (3 * 32 * 32, 50, 250), (3 * 224 * 224, 32, 32), (3 * 224 * 224, 4, 32), (0, 1, 256),
        (1 << 22, 1, 1), (100, 300, 300), (1 << 15, 10, 160),
    ])
    func sizes(_ elements: Int, _ batch: Int, _ expected: Int) throws {
        let scratch = try ScratchFolder()
        #expect(try shards(source(scratch, samples: 3), elements: elements, batch: batch).shardSize == expected)
    }

    @Test(arguments: [1, 99, 100, 101, 250]) func cutting(_ samples: Int) throws {
        let scratch = try ScratchFolder()
        var shards = try shards(source(scratch, samples: samples), elements: 1 << 17, batch: 50)
        #expect(shards.shardSize == 50)
        #expect(shards.sampleCount == samples)
        var found: [Int] = []
        var indices: [Int] = []
        while let shard = try shards.next() {
            indices.append(shard.index)
            let part = try labels(shard)
            #expect(shard.sampleCount == part.count)
            #expect(part.count == min(50, samples - found.count))
            found += part
        }
        #expect(found == Array(0..<samples))
        #expect(indices == Array(0..<shards.count))
        #expect(try shards.next() == nil)
        #expect(try !shards.skip())
    }

    /// A shard is the same bytes whether those before were read or passed over.
    @Test func skippingEqualsReading() throws {
        let scratch = try ScratchFolder()
        let source = try source(scratch, samples: 170, limit: 165)
        var reading = try shards(source, elements: 5 << 15, batch: 16)
        var all: [Shard] = []
        while let shard = try reading.next() { all.append(shard) }
        #expect(all.count == 6 && all.last?.sampleCount == 165 - 5 * 32)
        for pattern in 0..<64 {
            var shards = try shards(source, elements: 5 << 15, batch: 16)
            for (index, expected) in all.enumerated() {
                if pattern >> index & 1 == 0 {
                    #expect(try shards.skip())
                } else {
                    #expect(try shards.next() == expected)
                }
            }
            #expect(try shards.next() == nil)
        }
    }

    /// A sample that the source cannot give is sent without content, so that the worker counts it.
    @Test func badSamplesKeepTheirPlaces() throws {
        let scratch = try ScratchFolder()
        for name in ["a", "c"] { try scratch.write(Data("x".utf8), to: "images/\(name).jpg") }
        try FileManager.default.createSymbolicLink(
            atPath: scratch.url.appendingPathComponent("images/b.jpg").path, withDestinationPath: "gone.jpg")
        let source = try DatasetSource(path: "images", relativeTo: scratch.url)
        func first(skips: Bool) throws -> Shard? {
            var shards = try shards(source, elements: 10, batch: 2, skips: skips)
            return try shards.next()
        }
        let shard = try #require(try first(skips: true))
        let samples = try ShardPayload(decoding: shard.payload).samples
        #expect(samples.map(\.key) == ["a.jpg", "b.jpg", "c.jpg"])
        #expect(samples[1].content == .image(Data()))
        let error = #expect(throws: DatasetError.self) { try first(skips: false) }
        #expect(error?.key == "b.jpg")
    }
}
