import COneDNN
import Tensors

/// How the float32 elements of a tensor lie in memory: oneDNN's memory descriptor.
package struct MemoryDescriptor: Equatable, CustomStringConvertible {
    /// As oneDNN takes it.
    package private(set) var raw: dnnl_memory_desc_t

    /// Takes a descriptor that oneDNN has made.
    package init(_ raw: dnnl_memory_desc_t) {
        self.raw = raw
    }

    /// Row-major. A scalar is a vector of one element, since oneDNN has no rank 0.
    package init(plain shape: Shape) throws {
        let shape = shape.rank == 0 ? Shape([1]) : shape
        try self.init(shape: shape, strides: shape.strides)
    }

    /// - Parameter strides: in elements, one per axis.
    package init(shape: Shape, strides: [Int]) throws {
        raw = dnnl_memory_desc_t()
        try check(
            dnnl_memory_desc_init_by_strides(
                &raw, Int32(shape.rank), shape.dimensions.map(Int64.init), dnnl_f32, strides.map(Int64.init)),
            "memory descriptor \(shape) with strides \(strides)")
    }

    /// A layout for the primitive to choose.
    package init(any shape: Shape) throws {
        raw = dnnl_memory_desc_t()
        try check(
            dnnl_memory_desc_init_by_tag(
                &raw, Int32(shape.rank), shape.dimensions.map(Int64.init), dnnl_f32, dnnl_format_tag_any),
            "memory descriptor \(shape)")
    }

    /// Extents of the logical tensor; [1] for a scalar.
    package var shape: Shape {
        withUnsafeBytes(of: raw.dims) { bytes in
            Shape(bytes.bindMemory(to: Int64.self).prefix(Int(raw.ndims)).map(Int.init))
        }
    }

    /// Bytes of the memory, layout padding included.
    package var byteCount: Int {
        withUnsafePointer(to: raw) { dnnl_memory_desc_get_size($0) }
    }

    /// Zero elements that the layout adds after the logical ones.
    package var paddingCount: Int { byteCount / MemoryLayout<Float>.stride - shape.count }

    /// Whether elements lie in blocks of several channels.
    package var isBlocked: Bool { raw.format_desc.blocking.inner_nblks > 0 }

    /// Whether a sample lies in one stretch of memory: false where the samples of a channel block follow each other.
    package var blocksAreInSamples: Bool {
        !isBlocked || raw.dims.0 == 1 || raw.format_desc.blocking.strides.0 >= raw.format_desc.blocking.strides.1
    }

    /// Axis `i` of the result is axis `permutation[i]` of this descriptor.
    package func permuted(_ permutation: [Int]) throws -> MemoryDescriptor {
        // oneDNN wants the inverse: where each axis goes.
        var inverse = [Int32](repeating: 0, count: permutation.count)
        for (target, source) in permutation.enumerated() { inverse[source] = Int32(target) }
        var result = dnnl_memory_desc_t()
        try withUnsafePointer(to: raw) {
            try check(dnnl_memory_desc_permute_axes(&result, $0, inverse), "permutation \(permutation) of \(self)")
        }
        return MemoryDescriptor(result)
    }

    /// The layout for one element in place of the spatial axes of `[batch, channels, spatial...]`, channels blocked as here.
    package func withoutSpatialExtents() -> MemoryDescriptor {
        var result = raw
        let block = withUnsafeBytes(of: raw.format_desc.blocking.inner_blks) {
            $0.bindMemory(to: Int64.self).prefix(Int(raw.format_desc.blocking.inner_nblks)).reduce(1, *)
        }
        for axis in 2..<max(Int(raw.ndims), 2) {
            Self.set(&result.dims, axis, 1)
            Self.set(&result.padded_dims, axis, 1)
            Self.set(&result.format_desc.blocking.strides, axis, block)
        }
        Self.set(&result.format_desc.blocking.strides, 1, block)
        Self.set(&result.format_desc.blocking.strides, 0, raw.padded_dims.1)
        return MemoryDescriptor(result)
    }

    /// The layout of one sample of `[batch, ...]`, and the distance of samples in elements.
    package func sample() -> (layout: MemoryDescriptor, distance: Int) {
        var result = raw
        Self.set(&result.dims, 0, 1)
        Self.set(&result.padded_dims, 0, 1)
        return (MemoryDescriptor(result), Int(raw.format_desc.blocking.strides.0))
    }

    /// Sets an element of a C array, which Swift sees as a tuple.
    private static func set<Numbers>(_ numbers: inout Numbers, _ index: Int, _ value: Int64) {
        withUnsafeMutableBytes(of: &numbers) { $0.bindMemory(to: Int64.self)[index] = value }
    }

    /// A box of the memory, `offsets` elements from the start of each axis.
    package func box(_ shape: Shape, offsets: [Int]) throws -> MemoryDescriptor {
        var result = dnnl_memory_desc_t()
        try withUnsafePointer(to: raw) {
            try check(
                dnnl_memory_desc_init_submemory(
                    &result, $0, shape.dimensions.map(Int64.init), offsets.map(Int64.init)),
                "box \(shape) at \(offsets) of \(self)")
        }
        return MemoryDescriptor(result)
    }

    /// The bytes that say how elements lie, for use as a key.
    package var key: [UInt8] {
        withUnsafeBytes(of: raw) { Array($0) }
    }

    /// Whether both are the same layout of the same shape, as oneDNN says.
    package static func == (left: MemoryDescriptor, right: MemoryDescriptor) -> Bool {
        withUnsafePointer(to: left.raw) { a in
            withUnsafePointer(to: right.raw) { b in dnnl_memory_desc_equal(a, b) != 0 }
        }
    }

    /// For errors: shape, strides in elements, and extents of the inner blocks.
    package var description: String {
        let blocking = raw.format_desc.blocking
        let strides = withUnsafeBytes(of: blocking.strides) {
            $0.bindMemory(to: Int64.self).prefix(Int(raw.ndims)).map(Int.init)
        }
        let blocks = withUnsafeBytes(of: blocking.inner_blks) {
            $0.bindMemory(to: Int64.self).prefix(Int(blocking.inner_nblks)).map(Int.init)
        }
        return "\(shape) strides \(strides) inner blocks \(blocks)"
    }
}
