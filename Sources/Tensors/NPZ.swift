import Foundation
import Support

private import CZip

/// Numpy's `.npz` format: a ZIP archive of `.npy` members, named after the arrays. Members that do not end in `.npy`
/// are no arrays and are passed over.
public enum NPZ {
    /// How members are held in the archive.
    public enum Compression: Sendable {
        case stored, deflated
    }

    static let suffix = ".npy"

    /// Reads all arrays, in the order of the archive.
    /// - Throws: `TensorFileError` that names the file, and the array where there is one.
    public static func read(_ url: URL) throws -> [(name: String, tensor: Tensor)] {
        try arrays(of: ZIPArchive(path: url.path))
    }

    /// Reads all arrays of a file in memory, in the order of the archive.
    /// - Parameter limit: bytes that all members together may have.
    /// - Throws: `TensorFileError` without a file, `.tooLarge` before anything is inflated.
    public static func decode(_ data: Data, limit: Int) throws -> [(name: String, tensor: Tensor)] {
        let archive = try ZIPArchive(data)
        var byteCount = 0
        for member in try archive.members() {
            byteCount = byteCount.addingReportingOverflow(member.byteCount).partialValue
            guard member.byteCount <= limit, byteCount <= limit else {
                throw TensorFileError(
                    .tooLarge, member: member.name, expected: "<= \(limit) bytes", found: "\(member.byteCount)")
            }
        }
        return try arrays(of: archive)
    }

    private static func arrays(of archive: ZIPArchive) throws -> [(name: String, tensor: Tensor)] {
        try arrayMembers(of: archive).map { name, member in
            let reader = try archive.open(member)
            let header = try header(of: reader, file: archive.path, name: name)
            let tensor = try NPY.tensor(header) { try reader.read(into: $0) }
            try reader.finish()
            return (name, tensor)
        }
    }

    /// Writes arrays; the file at `url` is replaced as a whole, and is on the disk then. The same arrays give the same bytes.
    /// - Throws: `TensorFileError` (`.duplicateName`, `.cannotWrite`).
    public static func write(
        _ arrays: [(name: String, tensor: Tensor)], to url: URL, compression: Compression = .stored
    ) throws(TensorFileError) {
        var names: Set<String> = []
        for (name, _) in arrays where !names.insert(name).inserted {
            throw TensorFileError(.duplicateName, file: url.path, member: name)
        }
        try AtomicFile.replace(url) { error in
            TensorFileError(.cannotWrite, file: error.path, found: error.reason)
        } _: { (temporary) throws(TensorFileError) in
            do throws(TensorFileError) {
                try writeArchive(arrays, path: temporary.path, compression: compression)
            } catch {
                throw error.at(file: url.path, member: error.member)
            }
        }
    }

    /// The members that are arrays, with the arrays' names.
    static func arrayMembers(of archive: ZIPArchive) throws -> [(name: String, member: ZIPArchive.Member)] {
        let members = try archive.members().filter { $0.name.hasSuffix(suffix) }
        guard !members.isEmpty else { throw TensorFileError(.noArrays, file: archive.path) }
        var names: Set<String> = []
        return try members.map { member in
            let name = String(member.name.dropLast(suffix.count))
            guard names.insert(name).inserted else {
                throw TensorFileError(.duplicateName, file: archive.path, member: name)
            }
            return (name, member)
        }
    }

    /// Reads a member's header and checks the member's size against it.
    static func header(of reader: ZIPMemberReader, file: String, name: String) throws -> NPYHeader {
        var headerBytes = 0
        do {
            let header = try NPYHeader { count in
                headerBytes += count
                return try reader.read(count)
            }
            let expected = headerBytes + header.byteCount
            let found = reader.member.byteCount
            guard expected == found else {
                throw TensorFileError(
                    expected > found ? .truncated : .trailingBytes, expected: "\(expected)", found: "\(found)")
            }
            return header
        } catch let error as TensorFileError {
            throw error.at(file: file, member: name)
        }
    }

    private static func writeArchive(
        _ arrays: [(name: String, tensor: Tensor)], path: String, compression: Compression
    ) throws(TensorFileError) {
        var code: Int32 = 0
        guard let archive = zip_open(path, ZIP_CREATE | ZIP_EXCL, &code) else {
            var error = zip_error_t()
            zip_error_init_with_code(&error, code)
            defer { zip_error_fini(&error) }
            throw TensorFileError(.cannotWrite, found: String(cString: zip_error_strerror(&error)))
        }
        var isClosed = false
        defer { if !isClosed { zip_discard(archive) } }
        func failure(_ name: String) -> TensorFileError {
            TensorFileError(.cannotWrite, member: name, found: String(cString: zip_strerror(archive)))
        }
        // libzip reads the sources when the archive is closed, so all must stay alive and in place until then.
        let contents = arrays.map { ArrayContent($0.tensor) }
        try withExtendedLifetime(contents) { () throws(TensorFileError) in
            for (array, content) in zip(arrays, contents) {
                let fragments = content.fragments.map {
                    zip_buffer_fragment_t(
                        data: UnsafeMutableRawPointer(mutating: $0.baseAddress)?.assumingMemoryBound(to: UInt8.self),
                        length: UInt64($0.count))
                }
                guard let source = zip_source_buffer_fragment(archive, fragments, UInt64(fragments.count), 0) else {
                    throw failure(array.name)
                }
                let index = zip_file_add(archive, array.name + suffix, source, UInt32(ZIP_FL_ENC_UTF_8))
                guard index >= 0 else {
                    zip_source_free(source)
                    throw failure(array.name)
                }
                let method = compression == .stored ? ZIP_CM_STORE : ZIP_CM_DEFLATE
                // The first day that ZIP can express, as numpy writes it: no clock in the output.
                let firstDay: UInt16 = 1 << 5 | 1
                guard zip_set_file_compression(archive, UInt64(index), method, 0) == 0,
                    zip_file_set_dostime(archive, UInt64(index), 0, firstDay, 0) == 0
                else { throw failure(array.name) }
            }
            guard zip_close(archive) == 0 else { throw failure("") }
            isClosed = true
        }
    }

    /// The bytes of one member: the header and the elements, without a copy of the elements.
    private final class ArrayContent {
        let fragments: [UnsafeRawBufferPointer]
        private let header: TensorStorage
        private let tensor: Tensor

        init(_ original: Tensor) {
            tensor = NPY.representable(original)
            let encoded = NPYHeader(elementType: tensor.elementType, shape: tensor.shape).encoded()
            header = TensorStorage(byteCount: encoded.count) { $0.copyBytes(from: encoded) }
            // The pointer outlives the closure because the tensor keeps its storage, which never moves.
            fragments = [header.bytes, tensor.withUnsafeBytes { $0 }].filter { !$0.isEmpty }
        }
    }
}
