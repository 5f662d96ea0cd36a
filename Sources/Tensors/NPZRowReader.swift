import Foundation

/// Reads the arrays of an `.npz` file in lockstep along axis 0, a row at a time, so that memory is bounded by one row
/// and one buffer per array however long the arrays are. Used by one thread at a time.
public final class NPZRowReader {
    /// One array of the file.
    public struct Array: Sendable {
        public let name: String
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
