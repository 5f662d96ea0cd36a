import Datasets
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct DatasetSourceTests {
    @Test func `a glob gives files sorted by bytes`() throws {
        let scratch = try ScratchFolder()
        for name in ["b-10.tar", "b-2.tar", "B-3.tar", "b-x.tar", "b-ä.tar", "c-1.tar"] {
            var tar = TarBuilder()
            tar.add("\(name.dropLast(4))/0.jpg", "")
            tar.add("\(name.dropLast(4))/1.jpg", "")
            try scratch.write(tar.finished(), to: "in/\(name)")
        }
        func names(_ pattern: String) throws -> [String] {
            try DatasetSource(path: pattern, relativeTo: scratch.url).files.map(\.lastPathComponent)
        }
        #expect(try names("in/*.tar") == ["B-3.tar", "b-10.tar", "b-2.tar", "b-x.tar", "b-ä.tar", "c-1.tar"])
        #expect(try names("in/b-?.tar").contains("b-2.tar"))
        #expect(try names("in/[bc]-[0-9].tar") == ["b-2.tar", "c-1.tar"])
        #expect(try names("i?/c-1.tar") == ["c-1.tar"])
        #expect(try names(scratch.url.path + "/in/c*") == ["c-1.tar"])

        let source = try DatasetSource(path: "in/b-[0-9]*.tar", relativeTo: scratch.url)
        let keys = ["b-10/0", "b-10/1", "b-2/0", "b-2/1"]
        #expect(source.kind == .tar)
        #expect(try source.count() == 4)
        #expect(try allSamples(source).map(\.key) == keys)
        for limit in 0...6 {
            let limited = try DatasetSource(path: "in/b-[0-9]*.tar", relativeTo: scratch.url, limit: limit)
            let samples = try allSamples(limited)
            #expect(samples.map(\.key) == Array(keys.prefix(limit)))
            #expect(try limited.count() == samples.count)
            for start in 0...6 {
                let stream = try limited.open()
                #expect(try stream.skip(start) == min(start, samples.count))
                #expect(try stream.next() == samples.dropFirst(start).first)
            }
        }
    }

    /// The folder a job lies in may have any name; only the pattern is a pattern.
    @Test func `special characters in names are taken as they are`() throws {
        let scratch = try ScratchFolder()
        for path in ["odd [1]*?/a[0].npz", "odd [1]*?/a0.npz"] {
            let file = try scratch.write(Data(), to: path)
            try NPZ.write([("x", Tensor(shape: [1], [1 as Float]))], to: file)
        }
        let folder = scratch.url.appendingPathComponent("odd [1]*?")
        func names(_ pattern: String) throws -> [String] {
            try DatasetSource(path: pattern, relativeTo: folder).files.map(\.lastPathComponent)
        }
        #expect(try names("a*.npz") == ["a0.npz", "a[0].npz"])
        #expect(try names("a[0].npz") == ["a[0].npz"])
        #expect(try names("a[0]*") == ["a0.npz"])
    }

    @Test func `what cannot be a source is refused`() throws {
        let scratch = try ScratchFolder()
        for name in ["a.npz", "b.tar", "c.txt"] { try scratch.write(Data("?".utf8), to: name) }
        func error(_ path: String) throws -> DatasetError {
            let error = try #require(throws: DatasetError.self) {
                let source = try DatasetSource(path: path, relativeTo: scratch.url)
                _ = try source.count()
            }
            #expect(!error.isBadSample)
            return error
        }
        let base = scratch.url.path
        #expect(try error("no-*.tar") == DatasetError(.noMatch, file: "no-*.tar"))
        #expect(try error("no.npz") == DatasetError(.noMatch, file: "no.npz"))
        #expect(try error("[ab].*") == DatasetError(.mixedKinds, file: base + "/b.tar", expected: "npz", found: "tar"))
        #expect(try error("c.txt").code == .unknownKind)
        #expect(try error("b.tar").code == .truncatedSource)
        let source = try DatasetSource(path: "a.npz", relativeTo: scratch.url)
        #expect(throws: TensorFileError.self) { try source.count() }
        #expect(throws: TensorFileError.self) { try source.open().next() }
        try scratch.write(Data((0..<2048).map { UInt8(truncatingIfNeeded: $0) }), to: "d.tar")
        #expect(
            try error("d.tar")
                == DatasetError(
                    .malformedArchive, file: base + "/d.tar", expected: "tar", found: "checksum at byte 0"))
    }

    @Test func `an npz is read as samples`() throws {
        let scratch = try ScratchFolder()
        let file = scratch.url.appendingPathComponent("a.npz")
        func write(_ labelName: String, _ labels: Tensor) throws -> DatasetSource {
            let inputs = Tensor(shape: [3, 2], [1, 2, 3, 4, 5, 6] as [Float])
            try NPZ.write([("x", inputs), (labelName, labels), ("z", labels)], to: file)
            return try DatasetSource(path: file.path, relativeTo: scratch.url)
        }
        for (name, labels) in [
            ("labels", Tensor(shape: [3], [4, -5, 6] as [Int64])), ("label", Tensor(shape: [3], [4, -5, 6] as [Int8])),
            ("y", Tensor(shape: [3, 1], [4, -5, 6] as [Int32])),
        ] {
            let source = try write(name, labels)
            #expect(try source.count() == 3)
            let samples = try allSamples(source)
            #expect(samples.map(\.key) == ["0", "1", "2"])
            #expect(samples.map(\.label) == [4, -5, 6])
            guard case .arrays(let arrays) = samples[1].content else { throw DatasetError(.missingContent) }
            #expect(Set(arrays.keys) == ["x", "z"])
            #expect(arrays["x"] == Tensor(shape: [2], [3, 4] as [Float]))
            let stream = try source.open()
            #expect(try stream.skip(2) == 2)
            #expect(try stream.next() == samples[2])
        }
        for labels in [
            Tensor(shape: [3], [4, 5, 6] as [Float]), Tensor(shape: [3, 2], [Int64](repeating: 1, count: 6)),
        ] {
            let source = try write("labels", labels)
            let error = try #require(throws: DatasetError.self) { try source.count() }
            #expect(error.code == .malformedLabels && error.key == "labels" && error.file == file.path)
        }
        let source = try write("labels", Tensor(shape: [3], [1, UInt64.max, 3]))
        let stream = try source.open()
        #expect(try stream.next()?.label == 1)
        let error = try #require(throws: DatasetError.self) { try stream.next() }
        #expect(error.code == .invalidLabel && error.key == "1" && error.isBadSample)
        #expect(try stream.next()?.label == 3)
    }

    @Test func `a folder of classes is read in sorted order`() throws {
        let scratch = try ScratchFolder()
        for path in [
            "zebra/1.png", "zebra/sub/0.jpg", "ant/b.jpeg", "ant/a.JPG", "ant/notes.txt", "Bee/x.png", "top.png",
            ".hidden/1.png", "ant/.x.jpg", "empty/readme",
        ] {
            try scratch.write(Data(path.utf8), to: "images/\(path)")
        }
        let source = try DatasetSource(path: "images", relativeTo: scratch.url)
        #expect(source.kind == .folder)
        let samples = try allSamples(source)
        let expected: [(key: String, label: Int?)] = [
            ("top.png", nil), ("Bee/x.png", 0), ("ant/a.JPG", 1), ("ant/b.jpeg", 1), ("zebra/1.png", 3),
            ("zebra/sub/0.jpg", 3),
        ]
        #expect(samples.map(\.key) == expected.map(\.key))
        #expect(samples.map(\.label) == expected.map(\.label))
        #expect(samples.map(\.content) == expected.map { .image(Data($0.key.utf8)) })
        #expect(try source.count() == 6)
        for start in 0...6 {
            let stream = try source.open()
            #expect(try stream.skip(start) == start)
            #expect(try stream.next() == samples.dropFirst(start).first)
        }
        // A file that goes while the folder is read is one bad sample.
        let stream = try source.open()
        #expect(try stream.skip(2) == 2)
        #expect(try stream.next()?.key == "ant/a.JPG")
        try FileManager.default.removeItem(at: scratch.url.appendingPathComponent("images/ant/b.jpeg"))
        let error = try #require(throws: DatasetError.self) { try stream.next() }
        #expect(error.code == .missingContent && error.key == "ant/b.jpeg" && error.isBadSample)
        #expect(try stream.next()?.key == "zebra/1.png")
    }

    @Test func `single images are samples without labels`() throws {
        let scratch = try ScratchFolder()
        for name in ["b.png", "a.jpg"] { try scratch.write(Data(name.utf8), to: name) }
        let source = try DatasetSource(path: "*", relativeTo: scratch.url)
        let samples = try allSamples(source)
        #expect(samples.map(\.key) == ["a.jpg", "b.png"])
        #expect(samples.map(\.content) == [.image(Data("a.jpg".utf8)), .image(Data("b.png".utf8))])
        #expect(try source.count() == 2)
    }
}
