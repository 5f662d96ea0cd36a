import Tensors

extension Tensor {
    /// A tensor whose element at index (i, j, ...) is this tensor's element number `offset + i * strides[0] + ...`.
    /// Transposing, slicing, broadcasting and repeating are all of this kind.
    /// - Parameters:
    ///   - strides: in elements, one for each axis of `shape`; zero repeats, negative runs backwards
    ///   - offset: in elements
    package func rearranged(shape: Shape, strides: [Int], offset: Int = 0) -> Tensor {
        if offset == 0, strides == shape.strides, shape.count == count { return reshaped(shape) }
        let size = elementType.size
        let storage = TensorStorage(byteCount: shape.count * size) { target in
            guard shape.count > 0 else { return }
            withUnsafeBytes { source in
                switch size {
                case 1: Self.copy(UInt8.self, source, target, shape, strides, offset)
                case 2: Self.copy(UInt16.self, source, target, shape, strides, offset)
                case 4: Self.copy(UInt32.self, source, target, shape, strides, offset)
                default: Self.copy(UInt64.self, source, target, shape, strides, offset)
                }
            }
        }
        return Tensor(shape: shape, elementType: elementType, storage: storage)
    }

    /// This tensor broadcast to `shape`, which must be possible.
    package func broadcast(to shape: Shape) -> Tensor {
        let missing = shape.rank - self.shape.rank
        let own = self.shape.strides
        let strides = (0..<shape.rank).map { axis in
            axis < missing || self.shape[axis - missing] == 1 ? 0 : own[axis - missing]
        }
        return self.shape == shape ? self : rearranged(shape: shape, strides: strides)
    }

    private static func copy<Unit: BitwiseCopyable>(
        _: Unit.Type, _ source: UnsafeRawBufferPointer, _ target: UnsafeMutableRawBufferPointer, _ shape: Shape,
        _ strides: [Int], _ offset: Int
    ) {
        let units = target.bindMemory(to: Unit.self)
        let size = MemoryLayout<Unit>.size
        let inner = shape.rank == 0 ? 1 : shape[shape.rank - 1]
        let step = shape.rank == 0 ? 0 : strides[shape.rank - 1]
        var index = [Int](repeating: 0, count: max(shape.rank - 1, 0))
        var start = offset
        var written = 0
        while written < units.count {
            let row = UnsafeMutableBufferPointer(rebasing: units[written..<written + inner])
            if step == 0 {
                row.update(repeating: source.loadUnaligned(fromByteOffset: start * size, as: Unit.self))
            } else if step == 1 {
                UnsafeMutableRawBufferPointer(row).copyMemory(
                    from: UnsafeRawBufferPointer(rebasing: source[start * size..<(start + inner) * size]))
            } else {
                for position in 0..<inner {
                    row[position] = source.loadUnaligned(
                        fromByteOffset: (start + position * step) * size, as: Unit.self)
                }
            }
            written += inner
            // Counts up like an odometer, the last but one axis first.
            var axis = index.count - 1
            while axis >= 0 {
                index[axis] += 1
                start += strides[axis]
                if index[axis] < shape[axis] { break }
                start -= strides[axis] * shape[axis]
                index[axis] = 0
                axis -= 1
            }
        }
    }

    /// Tensors joined along an axis; all have the same element type and the same other extents.
    package static func concatenated(_ parts: [Tensor], axis: Int, elementType: ElementType, shape: Shape) -> Tensor {
        let outer = shape.dimensions[..<axis].reduce(1, *)
        let storage = TensorStorage(byteCount: shape.count * elementType.size) { target in
            var position = 0
            for block in 0..<outer {
                for part in parts {
                    part.withUnsafeBytes { source in
                        let bytes = source.count / outer
                        let slice = UnsafeRawBufferPointer(rebasing: source[block * bytes..<(block + 1) * bytes])
                        UnsafeMutableRawBufferPointer(rebasing: target[position..<position + bytes])
                            .copyMemory(from: slice)
                        position += bytes
                    }
                }
            }
        }
        return Tensor(shape: shape, elementType: elementType, storage: storage)
    }
}
