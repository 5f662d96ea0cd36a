import Foundation
import Tensors

/// Where each sample of a source lies, so that samples can be read in any order. A sample has the same index, and is read
/// as the same `Sample` or the same error, as in the source's stream.
///
/// Takes 8 bytes for a sample in a tar, its relative path and 16 bytes for one in a folder, nothing for rows of an `.npz`.
public struct SampleIndex: Sendable {
    /// Where the samples are.
    public let source: DatasetSource
    /// Samples, bad ones included.
    public let count: Int
    private let parts: [Part]
    /// The index of the first sample of each part, ascending; a part may be empty.
    private let starts: [Int]
    /// The samples that are taken, where it is not all from the first on.
    private let selection: SampleSelection?

    /// A file of the source.
    fileprivate enum Part: Sendable {
        case npz
        /// Where each sample begins, in bytes.
        case tar(starts: [Int])
        case folder(FolderNames)
        case image
    }

    /// Reads headers and listings of the source.
    /// - Throws: as `SampleStream.next` does about sources.
    public init(_ source: DatasetSource) throws {
        self.source = source
        var parts: [Part] = []
        var starts: [Int] = []
        var count = 0
        for file in source.files {
            if let limit = source.limit, source.order == .first, count >= limit { break }
            starts.append(count)
            let (part, samples) = try Self.part(file, of: source)
            parts.append(part)
            count += samples
        }
        self.parts = parts
        self.starts = starts
        selection = source.selection(of: count)
        self.count = min(count, source.limit ?? count)
    }

    /// Opens the source for reading samples. Each thread opens its own.
    public func open() -> SampleAccess { SampleAccess(self) }

    private static func part(_ file: URL, of source: DatasetSource) throws -> (Part, count: Int) {
        switch source.kind {
        case .npz:
            return (.npz, try NPZSamples.count(file))
        case .tar:
            let samples = try TarSamples(path: file.path)
            var starts: [Int] = []
            while let start = try samples.nextStart() { starts.append(start) }
            return (.tar(starts: starts), starts.count)
        case .folder:
            let samples = try FolderSamples(path: file.path, classes: source.classes)
            var names = FolderNames()
            while let (name, label) = try samples.nextName() { names.append(name, label: label) }
            return (.folder(names), names.count)
        case .image:
            return (.image, 1)
        }
    }

    /// The file of a sample, and the sample's index in it.
    fileprivate func place(of index: Int) -> (part: Int, index: Int) {
        precondition((0..<count).contains(index), "sample \(index) of \(count)")
        let index = selection?[index] ?? index
        var low = 0
        var high = starts.count
        while high - low > 1 {
            let middle = (low + high) / 2
            if starts[middle] <= index { low = middle } else { high = middle }
        }
        return (low, index - starts[low])
    }

    fileprivate func part(_ index: Int) -> (part: Part, file: URL) { (parts[index], source.files[index]) }
}

/// Reads the samples of a source in any order. Keeps some files open. Not `Sendable`: used by one thread at a time.
public final class SampleAccess {
    /// Tars that are open at once, each with a buffer of 64 KB.
    private static let openTars = 64
    /// Files of arrays that are open at once. Opening one again may mean inflating it again.
    private static let openArrayFiles = 256

    /// Where each sample lies.
    public let index: SampleIndex
    private var tars: RecentlyUsed<TarSamples>
    private var arrays: RecentlyUsed<(rows: NPZRowAccess, form: NPZSampleForm)>

    init(_ index: SampleIndex) {
        self.index = index
        tars = RecentlyUsed(limit: Self.openTars)
        arrays = RecentlyUsed(limit: Self.openArrayFiles)
    }

    /// The sample of an index in `0..<index.count`.
    /// - Throws: `DatasetError` for a bad sample (`isBadSample`); any other error, `DatasetError` or `TensorFileError`, is
    ///   about the source.
    public func sample(at sampleIndex: Int) throws -> Sample {
        let place = index.place(of: sampleIndex)
        let (part, file) = index.part(place.part)
        switch part {
        case .npz:
            let (rows, form) = try arrays.value(place.part) {
                let rows = try NPZRowAccess(file)
                return (rows, try NPZSampleForm(rows.arrays, path: file.path))
            }
            guard place.index < rows.rowCount else { throw Self.changed(file) }
            return try form.sample(place.index, rows.row(place.index))
        case .tar(let starts):
            let samples = try tars.value(place.part) { try TarSamples(path: file.path) }
            samples.seek(to: starts[place.index])
            guard let sample = try samples.next() else { throw Self.changed(file) }
            return sample
        case .folder(let names):
            let (name, label) = names[place.index]
            return try SampleFile.sample(path: file.path + "/" + name, key: name, source: file.path, label: label)
        case .image:
            guard let sample = try ImageFileSamples(path: file.path).next() else { throw Self.changed(file) }
            return sample
        }
    }

    private static func changed(_ file: URL) -> DatasetError {
        DatasetError(.truncatedSource, file: file.path, expected: "the samples it had", found: "fewer")
    }
}

/// Relative paths and labels of images, in one array of bytes.
private struct FolderNames: Sendable {
    private var bytes: [UInt8] = []
    /// The end of each name in `bytes`.
    private var ends: [Int] = []
    /// -1 for none.
    private var labels: [Int] = []

    var count: Int { ends.count }

    mutating func append(_ name: String, label: Int?) {
        bytes.append(contentsOf: name.utf8)
        ends.append(bytes.count)
        labels.append(label ?? -1)
    }

    subscript(index: Int) -> (name: String, label: Int?) {
        let start = index == 0 ? 0 : ends[index - 1]
        let name = String(decoding: bytes[start..<ends[index]], as: UTF8.self)
        return (name, labels[index] < 0 ? nil : labels[index])
    }
}

/// Values by number, of which those used last are kept.
private struct RecentlyUsed<Value> {
    let limit: Int
    private var values: [Int: (value: Value, used: Int)] = [:]
    private var clock = 0

    init(limit: Int) { self.limit = limit }

    mutating func value(_ key: Int, make: () throws -> Value) rethrows -> Value {
        clock += 1
        if let value = values[key]?.value {
            values[key]?.used = clock
            return value
        }
        if values.count >= limit, let oldest = values.min(by: { $0.value.used < $1.value.used })?.key {
            values[oldest] = nil
        }
        let value = try make()
        values[key] = (value, clock)
        return value
    }
}
