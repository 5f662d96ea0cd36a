import Foundation
import Support

private import CZip

/// A ZIP archive open for reading. Owns libzip's handle; used by one thread at a time.
final class ZIPArchive {
    /// A file in the archive.
    struct Member {
        let index: UInt64
        let name: String
        /// Uncompressed bytes.
        let byteCount: Int
        let isStored: Bool
    }

    let path: String
    private let handle: OpaquePointer
    /// What an archive in memory reads from.
    private let memory: TensorStorage?

    init(path: String) throws {
        do throws(UnreadableFile) {
            try RegularFile.check(path)
        } catch {
            throw TensorFileError(.cannotOpen, file: path, found: error.reason)
        }
        var code: Int32 = 0
        guard let handle = zip_open(path, ZIP_RDONLY, &code) else {
            var error = zip_error_t()
            zip_error_init_with_code(&error, code)
            defer { zip_error_fini(&error) }
            let missesFile = code == ZIP_ER_NOENT || code == ZIP_ER_OPEN || code == ZIP_ER_READ
            throw TensorFileError(
                missesFile ? .cannotOpen : .notZIP, file: path, found: String(cString: zip_error_strerror(&error)))
        }
        self.path = path
        self.handle = handle
        memory = nil
    }

    /// An archive in memory.
    /// - Throws: `TensorFileError(.notZIP)` without a file.
    init(_ data: Data) throws {
        // A copy that stays where it is, as libzip reads from it until the handle goes.
        let memory = TensorStorage(byteCount: data.count) { $0.copyBytes(from: data) }
        var error = zip_error_t()
        zip_error_init(&error)
        defer { zip_error_fini(&error) }
        guard
            let source = zip_source_buffer_create(
                memory.bytes.baseAddress, UInt64(memory.bytes.count), 0, &error)
        else { throw TensorFileError(.notZIP, found: String(cString: zip_error_strerror(&error))) }
        guard let handle = zip_open_from_source(source, ZIP_RDONLY, &error) else {
            zip_source_free(source)
            throw TensorFileError(.notZIP, found: String(cString: zip_error_strerror(&error)))
        }
        path = ""
        self.handle = handle
        self.memory = memory
    }

    deinit { zip_discard(handle) }

    /// All members in the archive's order.
    func members() throws -> [Member] {
        try (0..<UInt64(max(zip_get_num_entries(handle, 0), 0))).map { index in
            var status = zip_stat_t()
            guard zip_stat_index(handle, index, 0, &status) == 0, let name = status.name.map({ String(cString: $0) })
            else { throw TensorFileError(.notZIP, file: path, found: "\(index)") }
            let isStored = status.comp_method == UInt16(ZIP_CM_STORE)
            guard status.encryption_method == UInt16(ZIP_EM_NONE),
                isStored || status.comp_method == UInt16(ZIP_CM_DEFLATE)
            else {
                throw TensorFileError(
                    .unsupportedCompression, file: path, member: name, expected: "stored, deflated",
                    found: "\(status.comp_method), \(status.encryption_method)")
            }
            // Deflate expands at most 1032 times (zlib's "technical details"); a directory that claims more is false,
            // and believing it would have us allocate what it says.
            let bound = status.comp_size.multipliedReportingOverflow(by: isStored ? 1 : 1032)
            guard bound.overflow || status.size <= bound.partialValue, let byteCount = Int(exactly: status.size) else {
                throw TensorFileError(
                    .corruptMember, file: path, member: name, expected: "<= \(bound.partialValue)",
                    found: "\(status.size)")
            }
            return Member(index: index, name: name, byteCount: byteCount, isStored: isStored)
        }
    }

    /// Opens a member for reading. Several members may be open at once; each keeps the archive open.
    func open(_ member: Member, bufferBytes: Int = ZIPMemberReader.sequentialBufferBytes) throws -> ZIPMemberReader {
        guard let file = zip_fopen_index(handle, member.index, 0) else {
            throw TensorFileError(
                .corruptMember, file: path, member: member.name, found: String(cString: zip_strerror(handle)))
        }
        return ZIPMemberReader(archive: self, member: member, file: file, bufferBytes: bufferBytes)
    }
}

/// The uncompressed bytes of one member, in order, through a buffer.
final class ZIPMemberReader {
    /// Members of one archive are read by turns, and each turn costs libzip a seek; a buffer makes turns rare.
    static let sequentialBufferBytes = 1 << 18

    let member: ZIPArchive.Member
    private let archive: ZIPArchive
    private let file: OpaquePointer
    private var buffer: [UInt8]
    /// The part of the buffer that has not been handed out.
    private var unread = 0..<0
    /// The offset of the next byte to hand out.
    private var position = 0

    fileprivate init(archive: ZIPArchive, member: ZIPArchive.Member, file: OpaquePointer, bufferBytes: Int) {
        self.archive = archive
        self.member = member
        self.file = file
        buffer = [UInt8](repeating: 0, count: min(bufferBytes, max(member.byteCount, 1)))
    }

    deinit { zip_fclose(file) }

    /// Fills `target` with the next bytes.
    func read(into target: UnsafeMutableRawBufferPointer) throws {
        var rest = target
        while !rest.isEmpty {
            if unread.isEmpty && rest.count >= buffer.count {
                let count = try fill(rest)
                rest = UnsafeMutableRawBufferPointer(rebasing: rest[count...])
                continue
            }
            if unread.isEmpty {
                unread = 0..<(try buffer.withUnsafeMutableBytes { try fill($0) })
            }
            let count = min(rest.count, unread.count)
            buffer.withUnsafeBytes { bytes in
                rest.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[unread.prefix(count)]))
            }
            unread = unread.dropFirst(count)
            rest = UnsafeMutableRawBufferPointer(rebasing: rest[count...])
        }
        position += target.count
    }

    /// The next `count` bytes.
    func read(_ count: Int) throws -> [UInt8] {
        guard count <= member.byteCount - position else { throw truncated(needing: position + count) }
        var bytes = [UInt8](repeating: 0, count: count)
        try bytes.withUnsafeMutableBytes { try read(into: $0) }
        return bytes
    }

    /// Passes over `count` bytes: by seeking where the member is stored, else by inflating and dropping them.
    func skip(_ count: Int) throws {
        guard count <= member.byteCount - position else { throw truncated(needing: position + count) }
        let buffered = min(count, unread.count)
        unread = unread.dropFirst(buffered)
        position += buffered
        var rest = count - buffered
        if rest > 0 && member.isStored {
            guard zip_fseek(file, Int64(position + rest), SEEK_SET) == 0 else { throw failure() }
            position += rest
            return
        }
        while rest > 0 {
            let dropped = try buffer.withUnsafeMutableBytes { bytes in
                try fill(UnsafeMutableRawBufferPointer(rebasing: bytes[0..<min(rest, bytes.count)]))
            }
            rest -= dropped
            position += dropped
        }
    }

    /// Goes to a byte of a stored member, in either direction. Checksums are not compared after that.
    func seek(to offset: Int) throws {
        guard member.isStored, (0...member.byteCount).contains(offset) else { throw truncated(needing: offset) }
        // What the buffer holds ends where libzip stands; a row that lies in it is not read again.
        let end = position + unread.count
        let start = end - unread.upperBound
        if !unread.isEmpty && (start..<end).contains(offset) {
            unread = offset - start..<unread.upperBound
        } else {
            guard zip_fseek(file, Int64(offset), SEEK_SET) == 0 else { throw failure() }
            unread = 0..<0
        }
        position = offset
    }

    /// Checks that all bytes were handed out; libzip compares the checksum when it meets the end.
    func finish() throws {
        guard position == member.byteCount else {
            throw TensorFileError(
                .trailingBytes, file: archive.path, member: member.name, expected: "\(position)",
                found: "\(member.byteCount)")
        }
        var byte: UInt8 = 0
        guard zip_fread(file, &byte, 1) == 0 else { throw failure() }
    }

    /// Reads at least one byte.
    private func fill(_ target: UnsafeMutableRawBufferPointer) throws -> Int {
        let count = zip_fread(file, target.baseAddress, UInt64(target.count))
        guard count >= 0 else { throw failure() }
        guard count > 0 else { throw truncated(needing: position + 1) }
        return Int(count)
    }

    private func truncated(needing count: Int) -> TensorFileError {
        TensorFileError(
            .truncated, file: archive.path, member: member.name, expected: "\(count)", found: "\(member.byteCount)")
    }

    private func failure() -> TensorFileError {
        TensorFileError(
            .corruptMember, file: archive.path, member: member.name, found: String(cString: zip_file_strerror(file)))
    }
}
