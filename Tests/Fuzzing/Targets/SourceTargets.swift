import Datasets
import Foundation
import Tensors
import TestSupport

/// `.npz` archives: all arrays at once, and as a source of samples. Input that is no archive is put into one as its array.
final class NPZTarget: FuzzTarget {
    private let file: SourceFile

    init(folder: URL) throws { file = try SourceFile("input.npz", in: folder) }

    func run(_ input: Data) throws {
        let isArchive = input.starts(with: Data("PK".utf8))
        try file.replace(with: isArchive ? input : StoredArchive.holding(input, named: "a.npy"))
        _ = try refusing(with: TensorFileError.self) { try NPZ.read(file.url) }
        try file.checkSamples()
    }
}

/// Tar shards as a source of samples.
final class TarTarget: FuzzTarget {
    private let file: SourceFile

    init(folder: URL) throws { file = try SourceFile("input.tar", in: folder) }

    func run(_ input: Data) throws {
        try file.replace(with: input)
        try file.checkSamples()
    }
}

/// A file that is a source of samples, and takes one input after the other.
private struct SourceFile {
    let url: URL
    private let source: DatasetSource

    init(_ name: String, in folder: URL) throws {
        url = folder.appendingPathComponent(name)
        try Data().write(to: url)
        source = try DatasetSource(path: url.path, relativeTo: folder)
    }

    func replace(with input: Data) throws {
        let descriptor = open(url.path, O_WRONLY | O_TRUNC)
        guard descriptor >= 0 else { throw FuzzFinding("the scratch file does not open") }
        defer { close(descriptor) }
        let written = input.withUnsafeBytes { write(descriptor, $0.baseAddress, $0.count) }
        guard written == input.count else { throw FuzzFinding("the scratch file takes \(written) bytes") }
    }

    /// Reads the samples in order, counts them by headers, and reads them by index: all must say the same.
    func checkSamples() throws {
        guard let inOrder = try read({ try samples() }) else { return }
        guard let count = try read({ try source.count() }), count == inOrder.count else {
            throw FuzzFinding("\(inOrder.count) samples are read, but not counted")
        }
        guard let index = try read({ try SampleIndex(source) }), index.count == count else {
            throw FuzzFinding("\(inOrder.count) samples are read, but not indexed")
        }
        let access = index.open()
        for (position, expected) in inOrder.enumerated().reversed() {
            let found = try sample { try access.sample(at: position) }
            guard let found, found == expected else {
                throw FuzzFinding("sample \(position) is \(String(describing: found)), in order \(expected)")
            }
        }
    }

    private enum Reading: Equatable {
        case sample(Sample)
        case bad(DatasetError)
    }

    private func samples() throws -> [Reading] {
        let stream = try source.open()
        var all: [Reading] = []
        while let next = try sample({ try stream.next() }) { all.append(next) }
        return all
    }

    private func sample(_ read: () throws -> Sample?) throws -> Reading? {
        do {
            return try read().map { .sample($0) }
        } catch let error as DatasetError where error.isBadSample {
            return .bad(error)
        }
    }

    /// Nil where the source is refused.
    private func read<Value>(_ body: () throws -> Value) throws -> Value? {
        do {
            return try body()
        } catch is DatasetError {
            return nil
        } catch is TensorFileError {
            return nil
        } catch {
            throw FuzzFinding("the source throws \(type(of: error)): \(error)")
        }
    }
}
