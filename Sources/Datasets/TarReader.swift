import Foundation

/// A regular file in a tar archive.
struct TarMember: Equatable {
    let name: String
    /// Bytes of the contents.
    let size: Int
    /// Where in the archive the contents begin.
    let offset: Int
    /// Where in the archive the first header begins that is about this file: its own, or one with its long name.
    let start: Int
}

/// Reads the members of a tar archive in order, without holding more than a buffer: ustar, GNU's long names, pax's
/// `path` and `size`. Contents that nobody asks for are seeked over.
///
/// An archive must end with a block of zeros. Some readers take the end of the file for it too; then a file that was
/// cut between two members, as half-copied files of small members often are, would pass for a smaller dataset.
final class TarReader {
    /// Paths are limited to a few kB by file systems, pax settings hold little more.
    private static let maximumMetadataBytes = 1 << 20

    let path: String
    private let file: BufferedFile
    private var position = 0
    private var isAtEnd = false

    init(path: String) throws {
        self.path = path
        file = try BufferedFile(path: path)
    }

    /// The next regular file; nil after the last member.
    func next() throws -> TarMember? {
        var longName: String?
        var settings: [String: String] = [:]
        var start = position
        while !isAtEnd {
            guard let header = try header() else {
                isAtEnd = true
                return nil
            }
            var size = header.size
            if header.kind == .file, let text = settings["size"] {
                guard let value = Int(text), value >= 0, value <= Int.max / 2 else { throw malformed("size") }
                size = value
            }
            let offset = position + TarHeader.byteCount
            guard TarHeader.padded(size) <= file.size - offset else {
                throw DatasetError(
                    .truncatedSource, file: path, expected: "\(offset + TarHeader.padded(size))", found: "\(file.size)")
            }
            position = offset + TarHeader.padded(size)
            switch header.kind {
            case .longName:
                longName = TarHeader.text(try metadata(at: offset, count: size))
            case .settings:
                settings = try self.settings(in: try metadata(at: offset, count: size))
            case .file:
                guard !settings.keys.contains(where: { $0.hasPrefix("GNU.sparse") }) else { throw malformed("sparse") }
                return TarMember(
                    name: settings["path"] ?? longName ?? header.name, size: size, offset: offset, start: start)
            case .ignored:
                break
            case .directory, .withoutContents:
                longName = nil
                settings = [:]
                start = position
            case .unsupported(let type):
                throw malformed("type \(Character(Unicode.Scalar(type)))")
            }
        }
        return nil
    }

    /// Goes to the `start` of a member.
    func seek(to start: Int) {
        position = start
        isAtEnd = false
    }

    /// The contents of a member.
    func contents(of member: TarMember) throws -> Data {
        try file.bytes(at: member.offset, count: member.size)
    }

    private func header() throws -> TarHeader? {
        guard TarHeader.byteCount <= file.size - position else {
            throw DatasetError(
                .truncatedSource, file: path, expected: "\(position + TarHeader.byteCount)", found: "\(file.size)")
        }
        return try withUnsafeTemporaryAllocation(byteCount: TarHeader.byteCount, alignment: 1) { block -> TarHeader? in
            try file.read(at: position, into: block)
            do throws(TarHeader.Malformation) {
                return try TarHeader(UnsafeRawBufferPointer(block))
            } catch {
                throw malformed(error.rawValue)
            }
        }
    }

    private func metadata(at offset: Int, count: Int) throws -> Data {
        guard count <= Self.maximumMetadataBytes else { throw malformed("metadata of \(count) bytes") }
        return try file.bytes(at: offset, count: count)
    }

    /// Pax settings: records of `LENGTH KEY=VALUE\n`, where the length counts the whole record.
    private func settings(in data: Data) throws -> [String: String] {
        var settings: [String: String] = [:]
        var rest = data[...]
        while !rest.isEmpty {
            guard let space = rest.firstIndex(of: 0x20),
                let length = Int(String(decoding: rest[..<space], as: UTF8.self)),
                length > space - rest.startIndex + 1, length <= rest.count,
                case let record = rest[(space + 1)..<(rest.startIndex + length)], record.last == 0x0A,
                let equals = record.firstIndex(of: UInt8(ascii: "="))
            else { throw malformed("pax") }
            let key = String(decoding: record[..<equals], as: UTF8.self)
            settings[key] = String(decoding: record[(equals + 1)...].dropLast(), as: UTF8.self)
            rest = rest[(rest.startIndex + length)...]
        }
        return settings
    }

    private func malformed(_ part: String) -> DatasetError {
        DatasetError(.malformedArchive, file: path, expected: "tar", found: "\(part) at byte \(position)")
    }
}
