import Foundation
import Support

/// Reads the arrays of an `.npz` file in lockstep along axis 0, a row at a time, so that memory is bounded by one row
/// and one buffer per array however long the arrays are. Used by one thread at a time.
public final class NPZRowReader {
    /// One array of the file.
    public struct Array: Sendable {
        /// Of the archive's member, without `.npy`.
        public let name: String
        /// Of the file; rows keep it.
        public let elementType: ElementType
        /// The shape of one row: the array's without axis 0.
        public let rowShape: Shape
    }

    /// In the order of the archive.
    public let arrays: [Array]
    /// The extent of axis 0, which all arrays share.
    public let rowCount: Int
    /// The number of the row that `next()` reads.
    public private(set) var position = 0

    private let readers: [ZIPMemberReader]

    /// Opens the file and reads the headers.
    /// - Throws: `TensorFileError`, among others for an array without axes (`.noSampleAxis`), for arrays with different
    ///   extents of axis 0 (`.differentSampleCounts`), and for column-major arrays, whose rows do not lie together
    ///   (`.columnMajorSamples`).
    public init(_ url: URL) throws {
        let file = url.path
        let archive = try ZIPArchive(path: file)
        var arrays: [Array] = []
        var readers: [ZIPMemberReader] = []
        var rowCount: Int?
        for (name, member) in try NPZ.arrayMembers(of: archive) {
            let reader = try archive.open(member)
            let header = try NPZ.header(of: reader, file: file, name: name)
            guard let rows = header.shape.dimensions.first else {
                throw TensorFileError(.noSampleAxis, file: file, member: name, found: "\(header.shape)")
            }
            guard !header.isColumnMajor || header.shape.rank == 1 else {
                throw TensorFileError(.columnMajorSamples, file: file, member: name, found: "\(header.shape)")
            }
            guard rows == rowCount ?? rows else {
                throw TensorFileError(
                    .differentSampleCounts, file: file, member: name, expected: "\(rowCount ?? 0)", found: "\(rows)")
            }
            rowCount = rows
            let rowShape = Shape(Swift.Array(header.shape.dimensions.dropFirst()))
            arrays.append(Array(name: name, elementType: header.elementType, rowShape: rowShape))
            readers.append(reader)
        }
        self.arrays = arrays
        self.readers = readers
        self.rowCount = rowCount ?? 0
    }

    /// The next row of every array, in the order of `arrays`; nil after the last. Checksums are compared with the last
    /// row.
    public func next() throws -> [Tensor]? {
        guard position < rowCount else { return nil }
        let row = try zip(arrays, readers).map { array, reader in
            let storage = try TensorStorage(byteCount: array.rowShape.count * array.elementType.size) {
                try reader.read(into: $0)
            }
            return Tensor(shape: array.rowShape, elementType: array.elementType, storage: storage)
        }
        position += 1
        if position == rowCount {
            for reader in readers { try reader.finish() }
        }
        return row
    }

    /// Passes over `count` rows, or those that are left, and says how many. Cheap where members are stored.
    public func skip(_ count: Int) throws -> Int {
        let skipped = min(max(count, 0), rowCount - position)
        for (array, reader) in zip(arrays, readers) {
            try reader.skip(skipped * array.rowShape.count * array.elementType.size)
        }
        position += skipped
        return skipped
    }
}

/// Reads rows of the arrays of an `.npz` file in any order. Members that are stored are read where they are; members that
/// are deflated, which can only be inflated from their beginning, are inflated once, into temporary files without a name
/// that vanish with this object or its process. Memory is bounded by one row and one buffer per array. Used by one thread
/// at a time.
public final class NPZRowAccess {
    /// In the order of the archive.
    public let arrays: [NPZRowReader.Array]
    /// The extent of axis 0, which all arrays share.
    public let rowCount: Int

    private let sources: [RowSource]

    /// Small: what lies behind a row is rarely the next to be read.
    private static let bufferBytes = 1 << 12

    /// Opens the file, reads the headers and inflates what is deflated, comparing checksums. Those of stored members are
    /// not compared: that would read all their rows.
    /// - Parameter temporaryFolder: where inflated members go; without one, where temporary files lie that are large.
    /// - Throws: `TensorFileError`, as `NPZRowReader` does, and `.cannotWrite` for temporary files.
    public init(_ url: URL, temporaryFolder: URL? = nil) throws {
        // Checks the arrays against each other.
        let reader = try NPZRowReader(url)
        arrays = reader.arrays
        rowCount = reader.rowCount
        let archive = try ZIPArchive(path: url.path)
        sources = try NPZ.arrayMembers(of: archive).map { name, member in
            let reader = try archive.open(
                member, bufferBytes: member.isStored ? Self.bufferBytes : ZIPMemberReader.sequentialBufferBytes)
            let header = try NPZ.header(of: reader, file: url.path, name: name)
            let start = member.byteCount - header.byteCount
            if member.isStored { return .stored(reader, start: start) }
            return .inflated(try UnnamedFile.inflated(reader, byteCount: header.byteCount, in: temporaryFolder))
        }
    }

    /// A row of every array, in the order of `arrays`.
    public func row(_ index: Int) throws -> [Tensor] {
        precondition((0..<rowCount).contains(index), "row \(index) of \(rowCount)")
        return try zip(arrays, sources).map { array, source in
            let byteCount = array.rowShape.count * array.elementType.size
            let storage = try TensorStorage(byteCount: byteCount) { target in
                switch source {
                case .stored(let reader, let start):
                    try reader.seek(to: start + index * byteCount)
                    try reader.read(into: target)
                case .inflated(let elements):
                    elements.copyBytes(to: target, from: index * byteCount..<(index + 1) * byteCount)
                }
            }
            return Tensor(shape: array.rowShape, elementType: array.elementType, storage: storage)
        }
    }
}

private enum RowSource {
    /// The elements begin at byte `start` of the member.
    case stored(ZIPMemberReader, start: Int)
    case inflated(Data)
}

extension UnnamedFile {
    private static let chunkBytes = 1 << 20

    /// The elements of a deflated member, mapped.
    /// - Parameter reader: stands behind the header.
    /// - Throws: `TensorFileError`, `.cannotWrite` where the folder takes no such file.
    fileprivate static func inflated(_ reader: ZIPMemberReader, byteCount: Int, in folder: URL?) throws -> Data {
        do {
            let file = try UnnamedFile(in: folder?.path ?? usualFolder)
            var chunk = [UInt8](repeating: 0, count: min(chunkBytes, max(byteCount, 1)))
            while file.count < byteCount {
                try chunk.withUnsafeMutableBytes { bytes in
                    let part = UnsafeMutableRawBufferPointer(
                        rebasing: bytes[..<min(chunkBytes, byteCount - file.count)])
                    try reader.read(into: part)
                    try file.append(UnsafeRawBufferPointer(part))
                }
            }
            try reader.finish()
            return try file.mapped()
        } catch let error as FileError {
            throw TensorFileError(.cannotWrite, file: error.path, found: error.reason)
        }
    }
}
