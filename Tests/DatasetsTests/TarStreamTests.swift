import Datasets
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct TarStreamTests {
    private static let longFolder = [String](repeating: "a-folder-with-a-long-name", count: 8).joined(separator: "/")

    @Test(arguments: ["ustar", "gnu", "pax"])
    func `archives that Python wrote are read`(format: String) throws {
        let file = goldenFolder("Datasets").appendingPathComponent("\(format).tar")
        let source = try DatasetSource(path: file.path, relativeTo: file)
        #expect(try source.count() == 3)
        let folder = format == "ustar" ? String(Self.longFolder.dropFirst(78)) : Self.longFolder
        let samples = try allSamples(source)
        #expect(samples.map(\.key) == ["short", folder + "/000", "näme"])
        #expect(samples.map(\.label) == [3, 12, nil])
        #expect(samples.allSatisfy { $0.source == file.path })
        let images = ["image 1", String(repeating: "image 2", count: 100), ""].map {
            Sample.Content.image(Data($0.utf8))
        }
        #expect(samples.map(\.content) == images)
    }

    @Test func `members are grouped up to the first dot of the last component`() throws {
        let array = Tensor(shape: [2], [1, 2] as [Float])
        var tar = TarBuilder()
        tar.add("README.md", "not a sample")
        tar.add("v1.0/a", Data(), type: "5")
        tar.add("v1.0/a.b.npy", NPY.encode(array))
        tar.add("v1.0/a.Data.2.npy", NPY.encode(array))
        tar.add("v1.0/a.cls", " -7\n")
        tar.add("v1.0/a.json", "{}")
        tar.add("v1.0/b.JPG", "x")
        tar.add("v1.0/._b.jpg", "the resource fork that macOS adds")
        tar.add("v1.0/b.seg.png", "not the image")
        tar.add("b.png", "y")
        tar.add("b.npy", "passed over beside an image")
        tar.add("c.npy", NPY.encode(array))
        let scratch = try ScratchFolder()
        let file = try scratch.write(tar.finished(), to: "a.tar")
        let source = try DatasetSource(path: "a.tar", relativeTo: scratch.url)
        #expect(try source.count() == 4)
        #expect(
            try allSamples(source) == [
                Sample(
                    key: "v1.0/a", source: file.path, content: .arrays(["b": array, "Data.2": array]), label: -7),
                Sample(key: "v1.0/b", source: file.path, content: .image(Data("x".utf8))),
                Sample(key: "b", source: file.path, content: .image(Data("y".utf8))),
                Sample(key: "c", source: file.path, content: .arrays(["npy": array])),
            ])
    }

    /// Random archives against what was put into them: counts, reading in full, skipping to every place.
    @Test(arguments: 0..<12) func `random archives`(seed: Int) throws {
        var random = CounterRandom(key: 17, UInt64(seed))
        var tar = TarBuilder(longNames: Bool.random(using: &random) ? .gnu : .pax)
        let scratch = try ScratchFolder()
        let path = scratch.url.appendingPathComponent("a.tar").path
        var expected: [Sample] = []
        for index in 0..<Int.random(in: 0...30, using: &random) {
            let depth = Int.random(in: 0...6, using: &random)
            let key = String(repeating: "folder name with spaces/", count: depth) + "sample-\(index)"
            // Below, at and above the size of a block and of the reader's buffer.
            let size = [0, 1, 511, 512, 513, 5000, 65_535, 65_536, 70_000, 200_000].randomElement(using: &random) ?? 0
            let image = Data((0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ index) })
            let label = Bool.random(using: &random) ? Int.random(in: 0...999, using: &random) : nil
            var files = [("jpg", image)]
            if let label { files.append(("cls", Data("\(label)".utf8))) }
            if Bool.random(using: &random) { files.append(("json", Data(count: size))) }
            for (suffix, contents) in files.shuffled(using: &random) { tar.add("\(key).\(suffix)", contents) }
            expected.append(Sample(key: key, source: path, content: .image(image), label: label))
        }
        try scratch.write(tar.finished(), to: "a.tar")
        let source = try DatasetSource(path: path, relativeTo: scratch.url)
        #expect(try source.count() == expected.count, "seed \(seed)")
        #expect(try allSamples(source) == expected, "seed \(seed)")
        for start in 0...expected.count {
            let stream = try source.open()
            #expect(try stream.skip(start) == start)
            #expect(try stream.next() == expected.dropFirst(start).first, "seed \(seed), from \(start)")
            let left = max(expected.count - start - 1, 0)
            #expect(try stream.skip(.max) == left)
            #expect(try stream.next() == nil)
        }
    }

    /// A stream that says a sample is bad goes on with the next one, and skipping counts it.
    @Test func `bad samples are told and passed`() throws {
        var tar = TarBuilder()
        tar.add("a.jpg", "1")
        tar.add("a.cls", "zero")
        tar.add("b.cls", "1")
        tar.add("c.jpg", "1")
        tar.add("c.png", "2")
        tar.add("d.jpg", "1")
        tar.add("d.jpg", "2")
        tar.add("e.npy", "no array")
        tar.add("f.jpg", "good")
        let scratch = try ScratchFolder()
        let file = try scratch.write(tar.finished(), to: "a.tar").path
        let source = try DatasetSource(path: file, relativeTo: scratch.url)
        #expect(try source.count() == 6)
        let stream = try source.open()
        var errors: [DatasetError] = []
        var samples: [Sample] = []
        while samples.isEmpty {
            do {
                samples.append(try #require(try stream.next()))
            } catch let error as DatasetError {
                errors.append(error)
            }
        }
        #expect(
            errors
                == [
                    DatasetError(.invalidLabel, file: file, key: "a", expected: "integer", found: "zero"),
                    DatasetError(
                        .missingContent, file: file, key: "b", expected: "jpg, jpeg, png, npy, npz", found: "cls"),
                    DatasetError(.ambiguousContent, file: file, key: "c", found: "png"),
                    DatasetError(.ambiguousContent, file: file, key: "d", found: "jpg"),
                    DatasetError(.corruptArray, file: file, key: "e", expected: "8", found: "npy: truncated 8"),
                ].map { error in
                    var error = error
                    // What an .npy file of eight bytes lacks is told by its own tests.
                    if error.code == .corruptArray {
                        (error.expected, error.found) = (errors[4].expected, errors[4].found)
                    }
                    return error
                })
        #expect(errors.allSatisfy { $0.isBadSample })
        #expect(samples == [Sample(key: "f", source: file, content: .image(Data("good".utf8)))])
        let again = try source.open()
        #expect(try again.skip(5) == 5)
        #expect(try again.next() == samples.first)
        let limited = try DatasetSource(path: file, relativeTo: scratch.url, limit: 2).open()
        #expect(throws: DatasetError.self) { try limited.next() }
        #expect(throws: DatasetError.self) { try limited.next() }
        #expect(try limited.next() == nil)
    }

    @Test func `an archive that is cut anywhere is told from a whole one`() throws {
        var tar = TarBuilder()
        for index in 0..<3 {
            tar.add("\(index).jpg", Data(count: 700))
            tar.add("\(index).cls", "1")
        }
        let whole = tar.finished()
        let scratch = try ScratchFolder()
        // One block of zeros says that the archive is complete.
        for length in stride(from: 0, to: tar.data.count + 512, by: 128) {
            try scratch.write(whole.prefix(length), to: "a.tar")
            let source = try DatasetSource(path: "a.tar", relativeTo: scratch.url)
            for read in [{ _ = try source.count() }, { _ = try allSamples(source) }] {
                let error = try #require(throws: DatasetError.self, "\(length) bytes") { try read() }
                #expect(error.code == .truncatedSource && error.file.hasSuffix("a.tar") && !error.isBadSample)
                #expect(error.found == "\(length)")
            }
        }
    }

    @Test func `a stream that failed does not go on`() throws {
        var tar = TarBuilder()
        for index in 0..<3 { tar.add("\(index).jpg", Data(count: 700)) }
        let scratch = try ScratchFolder()
        // The second sample's header is read to see that the first sample has ended.
        try scratch.write(tar.finished().prefix(2048), to: "a.tar")
        try scratch.write(tar.finished(), to: "b.tar")
        let stream = try DatasetSource(path: "?.tar", relativeTo: scratch.url).open()
        let error = try #require(throws: DatasetError.self) { try stream.next() }
        #expect(error.code == .truncatedSource)
        #expect(throws: error) { try stream.next() }
        #expect(throws: error) { try stream.skip(1) }
    }

    @Test func `damaged archives never trap`() throws {
        var tar = TarBuilder(longNames: .pax)
        for index in 0..<3 {
            tar.add(Self.longFolder + "\(index).jpg", Data(count: 700))
            tar.add(Self.longFolder + "\(index).cls", "1")
        }
        let whole = tar.finished()
        let scratch = try ScratchFolder()
        let seed: UInt64 = 23
        var random = CounterRandom(key: seed)
        for round in 0..<400 {
            var damaged = whole
            for _ in 0..<Int.random(in: 1...3, using: &random) {
                damaged[Int.random(in: 0..<damaged.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            // Half of the time with checksums that fit, so that the fields themselves are met.
            if round % 2 == 0 { damaged = Self.withFittingChecksums(damaged) }
            try scratch.write(damaged, to: "a.tar")
            let source = try DatasetSource(path: "a.tar", relativeTo: scratch.url)
            do {
                let stream = try source.open()
                while true {
                    do {
                        if try stream.next() == nil { break }
                    } catch let error as DatasetError where error.isBadSample {}
                }
            } catch {
                #expect((error as? DatasetError)?.file.hasSuffix("a.tar") == true, "seed \(seed), round \(round)")
            }
        }
    }

    private static func withFittingChecksums(_ archive: Data) -> Data {
        var archive = archive
        for block in stride(from: 0, to: archive.count, by: 512) {
            guard archive[block + 257..<block + 262].elementsEqual("ustar".utf8) else { continue }
            for offset in 148..<156 { archive[block + offset] = 0x20 }
            let sum = archive[block..<block + 512].reduce(0) { $0 + Int($1) }
            for (offset, byte) in String(sum, radix: 8).utf8.enumerated() { archive[block + 148 + offset] = byte }
        }
        return archive
    }
}

/// All samples of a source that has no bad ones.
func allSamples(_ source: DatasetSource) throws -> [Sample] {
    let stream = try source.open()
    var samples: [Sample] = []
    while let sample = try stream.next() { samples.append(sample) }
    return samples
}
