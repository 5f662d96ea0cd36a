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
