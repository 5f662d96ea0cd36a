import Foundation

/// Where samples come from: one or more `.npz` files, tar shards (WebDataset), folders of images or of `.npz` files that are a
/// sample each, or images, all of one kind. Their order is fixed: files sorted by path, samples in a file's own order.
public struct DatasetSource: Sendable {
    /// What samples are read from.
    public enum Kind: String, Sendable {
        case npz, tar, folder, image
    }

    /// At least one, sorted by the bytes of their paths.
    public let files: [URL]
    /// The same for all files.
    public let kind: Kind
    /// The number of samples that are taken; nil for all.
    public let limit: Int?
    /// Which samples are taken where there are more than the limit.
    public let order: SampleOrder
    /// The names of the classes in the order of their labels, for folders of classes; nil where each folder's own sub-folders,
    /// sorted, are the classes.
    public let classes: [String]?

    /// Finds the files that `path` names.
    /// - Parameters:
    ///   - path: a path or a pattern of `*`, `?` and `[...]`.
    ///   - folder: what a relative path is relative to.
    ///   - limit: not negative.
    ///   - order: which samples are taken where there are more.
    ///   - classes: names of sub-folders in the order of their labels.
    /// - Throws: `DatasetError` (`.noMatch`, `.unknownKind`, `.mixedKinds`). No file is opened.
    public init(
        path: String, relativeTo folder: URL, limit: Int? = nil, order: SampleOrder = .first,
        classes: [String]? = nil
    ) throws {
        precondition(limit ?? 0 >= 0, "a limit of \(limit ?? 0) samples")
        let paths = try Glob.expand(path, relativeTo: folder)
        var kind: Kind?
        for path in paths {
            let found = try Self.kind(of: path)
            guard found == kind ?? found else {
                throw DatasetError(
                    .mixedKinds, file: path, expected: kind?.rawValue ?? "", found: found.rawValue)
            }
            kind = found
        }
        guard let kind else { throw DatasetError(.noMatch, file: path) }
        self.kind = kind
        self.limit = limit
        self.order = order
        self.classes = classes
        files = paths.map { URL(fileURLWithPath: $0) }
    }

    /// The number of samples, bad ones included, from headers and listings alone.
    /// - Throws: as `SampleStream.next` does about sources.
    public func count() throws -> Int {
        var count = 0
        for file in files {
            if let limit, count >= limit { break }
            count += try kind.count(file)
        }
        return min(count, limit ?? count)
    }

    /// What the files hold that is no sample nor part of one, by extension: tar members and files in folders of other kinds.
    /// - Throws: `DatasetError` about a file.
    public func passedOver() throws -> [String: Int] {
        var counts: [String: Int] = [:]
        for file in files {
            let found =
                switch kind {
                case .tar: try TarSamples.passedOver(path: file.path)
                case .folder: try FolderSamples.passedOver(path: file.path)
                case .npz, .image: [String: Int]()
                }
            counts.merge(found, uniquingKeysWith: +)
        }
        return counts
    }

    /// The names of all sub-folders that have images, sorted; empty where the source is no folder.
    /// - Throws: `DatasetError(.cannotOpen)`.
    public func classNames() throws -> [String] {
        guard kind == .folder else { return [] }
        let names = try Set(files.flatMap { try FolderSamples.classNames(path: $0.path) })
        return names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    }

    /// The number of samples in all files, whatever is taken of them.
    /// - Throws: as `count`.
    public func total() throws -> Int { try files.reduce(0) { try $0 + kind.count($1) } }

    /// Which samples of how many are taken; nil where it is all, or the first.
    func selection(of total: Int) -> SampleSelection? {
        guard case .spread(let seed) = order, let limit, limit < total else { return nil }
        return SampleSelection(total: total, count: limit, seed: seed)
    }

    /// The samples that are taken, in the order of the files. At most one file is open at a time.
    public func open() throws -> any SampleStream {
        if limit != nil, order != .first, let selection = selection(of: try total()) {
            return SelectedSamples(SourceStream(self, limit: nil), selection)
        }
        return SourceStream(self, limit: limit)
    }

    private static func kind(of path: String) throws -> Kind {
        if isFolder(path) { return .folder }
        if SampleFile.isNamedAsImage(path) { return .image }
        let lowercased = path.lowercased()
        if lowercased.hasSuffix(".npz") { return .npz }
        if lowercased.hasSuffix(".tar") { return .tar }
        throw DatasetError(.unknownKind, file: path, expected: ".npz, .tar, .jpg, .jpeg, .png, folder")
    }
}

extension DatasetSource.Kind {
    fileprivate func open(_ file: URL, classes: [String]?) throws -> any SampleStream {
        switch self {
        case .npz: try NPZSamples(file)
        case .tar: try TarSamples(path: file.path)
        case .folder: try FolderSamples(path: file.path, classes: classes)
        case .image: ImageFileSamples(path: file.path)
        }
    }

    fileprivate func count(_ file: URL) throws -> Int {
        switch self {
        case .npz: try NPZSamples.count(file)
        case .tar: try TarSamples.count(path: file.path)
        case .folder: try FolderSamples.count(path: file.path)
        case .image: 1
        }
    }
}

/// The files of a source one after the other, up to its limit.
private final class SourceStream: SampleStream {
    private let kind: DatasetSource.Kind
    private let classes: [String]?
    private var files: ArraySlice<URL>
    private var current: (any SampleStream)?
    private var remaining: Int
    /// The error that ended the stream. It is thrown again, so that no one can read on past a hole in the data.
    private var failure: (any Error)?

    init(_ source: DatasetSource, limit: Int?) {
        kind = source.kind
        classes = source.classes
        files = source.files[...]
        remaining = limit ?? .max
    }

    func next() throws -> Sample? {
        try endingOnFailure {
            while remaining > 0, let stream = try opened() {
                do {
                    if let sample = try stream.next() {
                        remaining -= 1
                        return sample
                    }
                    current = nil
                } catch let error as DatasetError where error.isBadSample {
                    remaining -= 1
                    throw error
                }
            }
            return nil
        }
    }

    func skip(_ count: Int) throws -> Int {
        try endingOnFailure {
            let wanted = min(count, remaining)
            var skipped = 0
            while skipped < wanted, let stream = try opened() {
                let step = try stream.skip(wanted - skipped)
                skipped += step
                remaining -= step
                if skipped < wanted { current = nil }
            }
            return skipped
        }
    }

    private func opened() throws -> (any SampleStream)? {
        if current == nil, let file = files.popFirst() { current = try kind.open(file, classes: classes) }
        return current
    }

    private func endingOnFailure<Result>(_ body: () throws -> Result) throws -> Result {
        if let failure { throw failure }
        do {
            return try body()
        } catch {
            if (error as? DatasetError)?.isBadSample != true {
                failure = error
                current = nil
            }
            throw error
        }
    }
}
