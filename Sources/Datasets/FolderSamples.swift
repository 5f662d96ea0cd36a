import Foundation

/// The images of a folder, or the `.npz` files where it has no images, each a sample. Those directly in it come first and have no
/// label; then those of each sub-folder, whose place among the classes, or among the sub-folders in sorted order where none are
/// given, is the label. Sub-folders are searched all the way down. Names are sorted by their UTF-8 bytes, which is the order of
/// code points; hidden entries are passed over. Holds the names of one sub-folder at a time.
final class FolderSamples: SampleStream {
    /// Deeper folders are surely a loop of links.
    private static let maximumDepth = 16

    private let root: String
    /// Sub-folders that have not been listed, in reverse order.
    private var classes: [(name: String, label: Int)]
    /// Images of the listed folder, relative to the root.
    private var images: ArraySlice<String>
    private var label: Int?

    /// - Parameter names: of the classes; a sub-folder must be one of them.
    /// - Throws: `DatasetError`, `.unknownClass` where a sub-folder is none.
    init(path: String, classes names: [String]? = nil) throws {
        root = path
        let (images, folders) = try Self.entries(of: path)
        self.images = images[...]
        classes = []
        for (place, folder) in folders.enumerated().reversed() {
            guard let names else {
                classes.append((folder, place))
                continue
            }
            guard let label = names.firstIndex(of: folder) else {
                // A folder without images is no class.
                if try Self.images(in: folder, of: root, depth: 0).isEmpty { continue }
                throw DatasetError(
                    .unknownClass, file: path, key: folder,
                    expected: names.prefix(8).joined(separator: ", ") + (names.count > 8 ? ", ..." : ""),
                    found: folder)
            }
            classes.append((folder, label))
        }
    }

    /// The names of the sub-folders that have images, sorted: the classes, where nothing else says them.
    static func classNames(path: String) throws -> [String] {
        try entries(of: path).folders.filter { try !images(in: $0, of: path, depth: 0).isEmpty }
    }

    /// The number of samples, from the listings alone.
    static func count(path: String) throws -> Int {
        try FolderSamples(path: path).skip(.max)
    }

    func next() throws -> Sample? {
        guard let (name, label) = try nextName() else { return nil }
        return try SampleFile.sample(path: root + "/" + name, key: name, source: root, label: label)
    }

    /// The next image's path relative to the folder, and its label; nil after the last.
    func nextName() throws -> (name: String, label: Int?)? {
        try listUntilImages()
        return images.popFirst().map { ($0, label) }
    }

    func skip(_ count: Int) throws -> Int {
        var skipped = 0
        while skipped < count {
            try listUntilImages()
            if images.isEmpty { break }
            let step = min(count - skipped, images.count)
            images = images.dropFirst(step)
            skipped += step
        }
        return skipped
    }

    private func listUntilImages() throws {
        while images.isEmpty, let next = classes.popLast() {
            label = next.label
            images = try Self.images(in: next.name, of: root, depth: 0)[...]
        }
    }

    /// All images at or below a sub-folder, relative to the root.
    private static func images(in folder: String, of root: String, depth: Int) throws -> [String] {
        guard depth < maximumDepth else {
            throw DatasetError(
                .cannotOpen, file: root + "/" + folder, expected: "<= \(maximumDepth) levels", found: "more")
        }
        let (images, folders) = try entries(of: root + "/" + folder)
        return try images.map { folder + "/" + $0 }
            + folders.flatMap { try self.images(in: folder + "/" + $0, of: root, depth: depth + 1) }
    }

    /// Files that are no samples, at or below the folder, by their extensions.
    static func passedOver(path: String, depth: Int = 0) throws -> [String: Int] {
        var counts: [String: Int] = [:]
        guard depth < maximumDepth else { return counts }
        let names = try FileManager.default.contentsOfDirectory(atPath: path).filter { !$0.hasPrefix(".") }
        let hasImages = names.contains(where: SampleFile.isNamedAsImage)
        for name in names {
            if isFolder(path + "/" + name) {
                counts.merge(try passedOver(path: path + "/" + name, depth: depth + 1), uniquingKeysWith: +)
            } else if !(hasImages ? SampleFile.isNamedAsImage(name) : SampleFile.isNamedAsArrays(name)) {
                let suffix = name.lastIndex(of: ".").map { String(name[$0...]) } ?? "no extension"
                counts[suffix, default: 0] += 1
            }
        }
        return counts
    }

    /// The names of images, or of `.npz` files where there are no images, and of folders, each sorted.
    private static func entries(of path: String) throws -> (images: [String], folders: [String]) {
        guard let directory = opendir(path) else { throw BufferedFile.systemError(path) }
        defer { closedir(directory) }
        var images: [String] = []
        var arrays: [String] = []
        var folders: [String] = []
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: &entry.pointee.d_name) {
                String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
            }
            if name.hasPrefix(".") { continue }
            if SampleFile.isNamedAsImage(name) {
                images.append(name)
            } else if isFolder(path + "/" + name) {
                folders.append(name)
            } else if SampleFile.isNamedAsArrays(name) {
                arrays.append(name)
            }
        }
        let samples = images.isEmpty ? arrays : images
        return (samples.sorted(by: precedesByBytes), folders.sorted(by: precedesByBytes))
    }
}

/// An image file as a source of one sample without a label.
final class ImageFileSamples: SampleStream {
    private let path: String
    private var isDone = false

    init(path: String) { self.path = path }

    func next() throws -> Sample? {
        guard try skip(1) == 1 else { return nil }
        let name = path.split(separator: "/").last.map(String.init) ?? path
        return try SampleFile.sample(path: path, key: name, source: path, label: nil)
    }

    func skip(_ count: Int) throws -> Int {
        guard count > 0 && !isDone else { return 0 }
        isDone = true
        return 1
    }
}

/// Whether there is a folder at the path, or a link to one.
func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
}

/// The order of names everywhere here: by UTF-8 bytes, the same on every machine and in every locale.
func precedesByBytes(_ left: String, _ right: String) -> Bool {
    left.utf8.lexicographicallyPrecedes(right.utf8)
}
