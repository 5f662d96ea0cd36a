import Datasets
import Foundation
import Tensors
import Testing
import TestSupport

/// An `.npz` that is one sample, in a tar shard and in a folder.
@Suite struct SampleFileTests {
    private func archive(
        _ arrays: [(name: String, tensor: Tensor)], compression: NPZ.Compression = .stored
    ) throws -> Data {
        let scratch = try ScratchFolder()
        let url = scratch.url.appendingPathComponent("a.npz")
        try NPZ.write(arrays, to: url, compression: compression)
        return try Data(contentsOf: url)
    }

    private let ids = Tensor(shape: [3], [Int64(5), 6, 7])

    private func read(_ tar: TarBuilder) throws -> [Result<Sample, any Error>] {
        let scratch = try ScratchFolder()
        try scratch.write(tar.finished(), to: "a.tar")
        let stream = try DatasetSource(path: "a.tar", relativeTo: scratch.url).open()
        var found: [Result<Sample, any Error>] = []
        while true {
            let next = Result { try stream.next() }
            if case .success(nil) = next { return found }
            found.append(next.flatMap { sample in Result { try #require(sample) } })
        }
    }

    @Test func membersOfATarHoldArraysAndALabel() throws {
        var tar = TarBuilder()
        tar.add("a.npz", try archive([("ids", ids), ("label", Tensor(scalar: Int64(2)))]))
        tar.add("b.npz", try archive([("ids", ids), ("label", Tensor(shape: [1], [UInt8(9)]))]))
        tar.add("b.cls", "4")
        tar.add("b.mask.npy", NPY.encode(Tensor(shape: [3], [Int8(1), 0, 1])))
        // More than one number is an input of that name.
        tar.add("c.npz", try archive([("y", ids)]))
        let samples = try read(tar).map { try $0.get() }
        #expect(samples.map(\.label) == [2, 4, nil])
        #expect(samples[0].content == .arrays(["ids": ids]))
        #expect(samples[1].content == .arrays(["ids": ids, "mask": Tensor(shape: [3], [Int8(1), 0, 1])]))
        #expect(samples[2].content == .arrays(["y": ids]))
    }

    @Test func badMembersAreBadSamples() throws {
        var tar = TarBuilder()
        tar.add("a.npz", Data("no archive".utf8))
        tar.add("b.npz", try archive([("ids", ids)]))
        tar.add("b.ids.npy", NPY.encode(ids))
        tar.add("c.npz", try archive([("label", Tensor(scalar: Int64(1)))]))
        // A few hundred kilobytes that would be 272 MB.
        let large = Tensor(
            shape: [34 << 20], elementType: .int64,
            storage: TensorStorage(byteCount: 272 << 20) { $0.initializeMemory(as: UInt8.self, repeating: 0) })
        tar.add("d.npz", try archive([("ids", large)], compression: .deflated))
        tar.add("e.npz", try archive([("ids", ids)]))
        let codes = try read(tar).map { result -> DatasetError.Code? in
            switch result {
            case .success: return nil
            case .failure(let error):
                let error = try #require(error as? DatasetError)
                #expect(error.isBadSample && error.file.hasSuffix("a.tar"))
                return error.code
            }
        }
        #expect(codes == [.corruptArray, .ambiguousContent, .missingContent, .sampleTooLarge, nil])
    }

    @Test func aFolderHoldsThemWhereItHasNoImages() throws {
        let scratch = try ScratchFolder()
        for (name, label) in [("x/b", 0), ("x/a", 0), ("y/c", 1)] {
            let url = scratch.url.appendingPathComponent("samples/\(name).npz")
            try FileManager.default.createDirectory(
                at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
            try archive([("ids", Tensor(shape: [1], [Int64(label)]))]).write(to: url)
        }
        let source = try DatasetSource(path: "samples", relativeTo: scratch.url)
        #expect(try source.count() == 3 && source.passedOver().isEmpty)
        let access = try SampleIndex(source).open()
        let samples = try (0..<3).map { try access.sample(at: $0) }
        #expect(samples.map(\.key) == ["x/a.npz", "x/b.npz", "y/c.npz"])
        #expect(samples.map(\.label) == [0, 0, 1])
        #expect(samples[2].content == .arrays(["ids": Tensor(shape: [1], [Int64(1)])]))
        // Beside images they are no samples.
        try Data().write(to: scratch.url.appendingPathComponent("samples/x/image.png"))
        #expect(try source.count() == 2)
        #expect(try source.passedOver() == [".npz": 2])
    }
}
