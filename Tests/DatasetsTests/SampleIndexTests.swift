import Datasets
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct SampleIndexTests {
    /// What a stream or an access gives for a sample.
    private enum Outcome: Equatable {
        case sample(Sample)
        case bad(DatasetError)

        init(_ read: () throws -> Sample?) throws {
            do {
                self = .sample(try #require(try read()))
            } catch let error as DatasetError where error.isBadSample {
                self = .bad(error)
            }
        }
    }

    /// Every sample of the source in a random order, some twice, is what the stream has at its place.
    private static func check(_ source: DatasetSource, _ seed: UInt64) throws {
        let index = try SampleIndex(source)
        #expect(try index.count == source.count())
        let stream = try source.open()
        let expected = try (0..<index.count).map { _ in try Outcome { try stream.next() } }
        #expect(try stream.next() == nil)
        var random = CounterRandom(key: 92, seed)
        let access = index.open()
        for sample in (Array(0..<index.count) + Array(0..<index.count)).shuffled(using: &random) {
            #expect(try Outcome { try access.sample(at: sample) } == expected[sample], "seed \(seed), sample \(sample)")
        }
    }

    @Test func `samples of tars are found in any order`() throws {
        for seed in 0..<40 as Range<UInt64> {
            var random = CounterRandom(key: 93, seed)
            let scratch = try ScratchFolder()
            let long = String(repeating: "a-long-folder/", count: 12)
            for file in 0..<Int(random.next() % 4) + 1 {
                var tar = TarBuilder()
                tar.longNames = random.next() & 1 == 0 ? .gnu : .pax
                for sample in 0..<Int(random.next() % 12) {
                    let key = (random.next() % 3 == 0 ? long : "") + "\(file)/\(sample)"
                    if random.next() % 4 == 0 { tar.add("\(key).json", "{}") }
                    if random.next() % 5 == 0 { tar.add("a-folder", Data(), type: "5") }
                    // Some samples are bad: without an image, with two, with a label that is none.
                    switch random.next() % 8 {
                    case 0: tar.add("\(key).cls", "1")
                    case 1:
                        tar.add("\(key).jpg", "x")
                        tar.add("\(key).png", "x")
                    case 2:
                        tar.add("\(key).jpg", "x")
                        tar.add("\(key).cls", "x")
                    default:
                        tar.add("\(key).jpg", String(repeating: "y", count: Int(random.next() % 2000)))
                        tar.add("\(key).cls", "\(sample)")
                    }
                    if random.next() % 4 == 0 { tar.add("README", "text") }
                }
                try scratch.write(tar.finished(), to: "\(file).tar")
            }
            try Self.check(DatasetSource(path: "*.tar", relativeTo: scratch.url), seed)
            try Self.check(DatasetSource(path: "*.tar", relativeTo: scratch.url, limit: 7), seed)
        }
    }

    @Test(arguments: [NPZ.Compression.stored, .deflated])
    func `rows of arrays are found in any order`(compression: NPZ.Compression) throws {
        let scratch = try ScratchFolder()
        var random = CounterRandom(key: 94)
        for (file, rows) in [3, 0, 40, 1].enumerated() {
            try NPZ.write(
                [
                    ("x", Tensor(shape: [rows, 5, 700], (0..<rows * 3500).map { _ in random.normal() })),
                    ("labels", Tensor(shape: [rows], (0..<rows).map { Int64($0) })),
                    ("z", Tensor(shape: [rows, 2], (0..<rows * 2).map { UInt8(truncatingIfNeeded: $0) })),
                ], to: scratch.url.appendingPathComponent("\(file).npz"), compression: compression)
        }
        try Self.check(DatasetSource(path: "*.npz", relativeTo: scratch.url), 0)
        try Self.check(DatasetSource(path: "*.npz", relativeTo: scratch.url, limit: 10), 1)
    }

    @Test func `images of folders are found in any order`() throws {
        let scratch = try ScratchFolder()
        for name in ["x.png", "b/2.jpg", "b/10.jpg", "a/ü.jpeg", "c/deep/er/1.png", "empty/no.txt", "z.jpg"] {
            try scratch.write(Data(name.utf8), to: "in/\(name)")
        }
        try Self.check(DatasetSource(path: "in", relativeTo: scratch.url), 0)
        try Self.check(DatasetSource(path: "in/b/*.jpg", relativeTo: scratch.url), 1)
        let index = try SampleIndex(DatasetSource(path: "in", relativeTo: scratch.url))
        try FileManager.default.removeItem(at: scratch.url.appendingPathComponent("in/b/2.jpg"))
        let access = index.open()
        var errors: [DatasetError.Code] = []
        for sample in 0..<index.count {
            if case .bad(let error) = try Outcome({ try access.sample(at: sample) }) { errors.append(error.code) }
        }
        #expect(errors == [.missingContent])
    }

    /// More tars than stay open.
    @Test func `many files are opened by turns`() throws {
        let scratch = try ScratchFolder()
        for file in 0..<150 {
            var tar = TarBuilder()
            for sample in 0..<2 { tar.add("\(file)/\(sample).jpg", "\(file) \(sample)") }
            try scratch.write(tar.finished(), to: "\(file).tar")
        }
        try Self.check(DatasetSource(path: "*.tar", relativeTo: scratch.url), 0)
    }

    @Test func `sources that cannot be indexed are refused`() throws {
        let scratch = try ScratchFolder()
        var tar = TarBuilder()
        tar.add("a.jpg", "x")
        try scratch.write(tar.finished().dropLast(1024), to: "cut.tar")
        try scratch.write(Data("?".utf8), to: "bad.npz")
        let cut = try DatasetSource(path: "cut.tar", relativeTo: scratch.url)
        #expect(#expect(throws: DatasetError.self) { try SampleIndex(cut) }?.code == .truncatedSource)
        let bad = try DatasetSource(path: "bad.npz", relativeTo: scratch.url)
        #expect(throws: TensorFileError.self) { try SampleIndex(bad) }
    }

    /// A file that has lost its samples since it was indexed is told, not misread.
    @Test func `a source that has changed is told`() throws {
        let scratch = try ScratchFolder()
        var tar = TarBuilder()
        for sample in 0..<4 { tar.add("\(sample).jpg", "x") }
        try scratch.write(tar.finished(), to: "a.tar")
        let index = try SampleIndex(DatasetSource(path: "a.tar", relativeTo: scratch.url))
        var shorter = TarBuilder()
        shorter.add("0.jpg", "x")
        try scratch.write(shorter.finished(), to: "a.tar")
        let error = #expect(throws: DatasetError.self) { try index.open().sample(at: 3) }
        #expect(error?.isBadSample == false)
    }
}
