import Foundation

/// Numpy's `.npy` format: one array.
public enum NPY {
    /// Reads an array of any element type that numpy and tensors share, versions 1 to 3, little endian. A column-major
    /// array is transposed to row-major.
    /// - Throws: `TensorFileError` without file or member.
    public static func decode(_ bytes: UnsafeRawBufferPointer) throws -> Tensor {
        var position = 0
        func take(_ count: Int) throws -> UnsafeRawBufferPointer {
            guard count <= bytes.count - position else {
                throw TensorFileError(.truncated, expected: "\(position + count)", found: "\(bytes.count)")
            }
            defer { position += count }
            return UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
        }
        let header = try NPYHeader { Array(try take($0)) }
        let elements = try take(header.byteCount)
        guard position == bytes.count else {
            throw TensorFileError(.trailingBytes, expected: "\(position)", found: "\(bytes.count)")
        }
        return tensor(header) { $0.copyMemory(from: elements) }
    }

    /// Reads an array; see `decode(_:)` of a buffer.
    public static func decode(_ data: Data) throws -> Tensor {
        try data.withUnsafeBytes { try decode($0) }
    }

    /// Writes an array, row-major. What numpy has not is written as the next type that has all its values: bfloat16 as
    /// float32, 4-bit integers as 8-bit ones.
    public static func encode(_ tensor: Tensor) -> Data {
        let tensor = representable(tensor)
        var data = NPYHeader(elementType: tensor.elementType, shape: tensor.shape).encoded()
        tensor.withUnsafeBytes { data.append(contentsOf: $0) }
        return data
    }

    /// The tensor as a type that numpy has.
    static func representable(_ tensor: Tensor) -> Tensor {
        guard tensor.elementType == .bfloat16 else { return tensor.widened }
        return tensor.withUnsafeBytes { bytes in
            Tensor(shape: tensor.shape) { (floats: UnsafeMutableBufferPointer<Float>) in
                for index in floats.indices {
                    let upper = bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self)
                    floats[index] = Float(bitPattern: UInt32(upper) << 16)
                }
            }
        }
    }

    /// A row-major tensor of the elements that `fill` writes in the order of the file.
    static func tensor(
        _ header: NPYHeader, fill: (UnsafeMutableRawBufferPointer) throws -> Void
    ) rethrows -> Tensor {
        let storage = try TensorStorage(byteCount: header.byteCount, fill: fill)
        guard header.isColumnMajor && header.shape.rank > 1 else {
            return Tensor(shape: header.shape, elementType: header.elementType, storage: storage)
        }
        let transposed = TensorStorage(byteCount: header.byteCount) { bytes in
            switch header.elementType.size {
            case 1: copyRowMajor(UInt8.self, from: storage.bytes, to: bytes, shape: header.shape)
            case 2: copyRowMajor(UInt16.self, from: storage.bytes, to: bytes, shape: header.shape)
            case 4: copyRowMajor(UInt32.self, from: storage.bytes, to: bytes, shape: header.shape)
            default: copyRowMajor(UInt64.self, from: storage.bytes, to: bytes, shape: header.shape)
            }
        }
        return Tensor(shape: header.shape, elementType: header.elementType, storage: transposed)
    }

    private static func copyRowMajor<Word: BitwiseCopyable>(
        _: Word.Type, from columnMajor: UnsafeRawBufferPointer, to rowMajor: UnsafeMutableRawBufferPointer, shape: Shape
    ) {
        // Strides in elements of the column-major source: the first axis is innermost.
        var strides: [Int] = []
        var step = 1
        for extent in shape.dimensions {
            strides.append(step)
            step *= extent
        }
        let size = MemoryLayout<Word>.size
        var index = [Int](repeating: 0, count: shape.rank)
        var source = 0
        for target in 0..<shape.count {
            let word = columnMajor.loadUnaligned(fromByteOffset: source * size, as: Word.self)
            rowMajor.storeBytes(of: word, toByteOffset: target * size, as: Word.self)
            // Steps to the next element in row-major order: the last axis runs fastest.
            for axis in stride(from: shape.rank - 1, through: 0, by: -1) {
                index[axis] += 1
                source += strides[axis]
                if index[axis] < shape[axis] { break }
                source -= strides[axis] * shape[axis]
                index[axis] = 0
            }
        }
    }
}

/// The header of an `.npy` file, as numpy's `numpy.lib.format` describes it: six bytes of magic, two of version, the
/// length of a Python dictionary (two bytes in version 1, four in versions 2 and 3), the dictionary.
public struct NPYHeader: Equatable, Sendable {
    /// Of the array that follows.
    public let elementType: ElementType
    /// Of the array that follows, as numpy indexes it.
    public let shape: Shape
    /// Whether the elements lie with the first axis innermost (`fortran_order`).
    public let isColumnMajor: Bool

    private static let magic: [UInt8] = [0x93] + Array("NUMPY".utf8)
    /// Numpy itself refuses headers over 10,000 bytes; ours are far shorter too.
    private static let maximumTextBytes = 1 << 16
    /// Numpy has at most 64 axes.
    private static let maximumRank = 64

    /// Bytes of the elements.
    public var byteCount: Int { shape.count * elementType.size }

    /// The header of an array.
    public init(elementType: ElementType, shape: Shape, isColumnMajor: Bool = false) {
        self.elementType = elementType
        self.shape = shape
        self.isColumnMajor = isColumnMajor
    }

    /// Reads a header from the beginning of a file.
    /// - Parameter read: gives the next bytes of the file, exactly as many as it is asked for, or throws.
    package init(reading read: (Int) throws -> [UInt8]) throws {
        let start = try read(8)
        guard start.starts(with: Self.magic) else {
            throw TensorFileError(
                .notNPY, expected: Self.hexadecimal(Self.magic), found: Self.hexadecimal(start.prefix(6)))
        }
        guard (1...3).contains(start[6]) else {
            throw TensorFileError(.unsupportedVersion, expected: "1, 2, 3", found: "\(start[6]).\(start[7])")
        }
        let length = try read(start[6] == 1 ? 2 : 4).reversed().reduce(0) { $0 << 8 | Int($1) }
        guard length <= Self.maximumTextBytes else {
            throw TensorFileError(.malformedHeader, expected: "<= \(Self.maximumTextBytes)", found: "\(length)")
        }
        try self.init(text: try read(length))
    }

    private init(text: [UInt8]) throws {
        let shown = String(decoding: text.prefix(200), as: UTF8.self).trimmingCharacters(in: .whitespacesAndNewlines)
        guard case .dictionary(let entries)? = PythonLiteral(parsing: text), let descr = entries["descr"],
            case .boolean(let isColumnMajor)? = entries["fortran_order"],
            case .sequence(let extents)? = entries["shape"], extents.count <= Self.maximumRank
        else { throw TensorFileError(.malformedHeader, expected: "descr, fortran_order, shape", found: shown) }

        // The product is checked without zeros, so that no order of multiplication overflows later.
        var dimensions: [Int] = []
        var product = 8
        for extent in extents {
            guard case .integer(let extent) = extent, extent >= 0,
                case let (bytes, overflow) = product.multipliedReportingOverflow(by: max(extent, 1)), !overflow
            else { throw TensorFileError(.malformedHeader, expected: "shape", found: shown) }
            dimensions.append(extent)
            product = bytes
        }
        guard case .string(let name) = descr, let elementType = Self.elementType(named: name) else {
            let found = if case .string(let name) = descr { name } else { shown }
            throw TensorFileError(.unsupportedElementType, found: found)
        }
        self.init(elementType: elementType, shape: Shape(dimensions), isColumnMajor: isColumnMajor)
    }

    /// The bytes before the first element: a header of version 1, filled up so that the elements are aligned to 64
    /// bytes.
    func encoded() -> Data {
        let extents = shape.dimensions.map(String.init).joined(separator: ", ")
        let shapeText = shape.rank == 1 ? "(\(extents),)" : "(\(extents))"
        let order = isColumnMajor ? "True" : "False"
        let text = "{'descr': '\(Self.name(of: elementType))', 'fortran_order': \(order), 'shape': \(shapeText), }"
        let unpadded = Self.magic.count + 4 + text.utf8.count + 1
        let padding = (64 - unpadded % 64) % 64
        let length = text.utf8.count + padding + 1
        precondition(length <= 0xFFFF, "\(shape.rank) axes do not fit an .npy header of version 1")
        var data = Data(Self.magic)
        data.append(contentsOf: [1, 0, UInt8(length & 0xFF), UInt8(length >> 8)])
        data.append(contentsOf: text.utf8)
        data.append(contentsOf: [UInt8](repeating: 0x20, count: padding))
        data.append(0x0A)
        return data
    }

    /// Numpy's names of element types, in the byte order that all our machines have.
    private static let names: [(type: ElementType, name: String)] = [
        (.float16, "<f2"), (.float32, "<f4"), (.float64, "<f8"), (.int8, "|i1"), (.int16, "<i2"), (.int32, "<i4"),
        (.int64, "<i8"), (.uint8, "|u1"), (.uint16, "<u2"), (.uint32, "<u4"), (.uint64, "<u8"), (.bool, "|b1"),
    ]

    private static func elementType(named name: String) -> ElementType? {
        names.first { entry in
            // Single bytes have no order; any mark before them means the same.
            entry.type.size == 1 ? entry.name.dropFirst() == name.drop { "|<>=".contains($0) } : entry.name == name
        }?.type
    }

    /// The name of a type that numpy has; see `NPY.encode` for the one it has not.
    private static func name(of type: ElementType) -> String {
        names.first { $0.type == type }?.name ?? "<f4"
    }

    private static func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
        bytes.map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
    }
}
