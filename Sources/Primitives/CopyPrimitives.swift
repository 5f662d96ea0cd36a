import COneDNN

/// Primitives that move elements from layout to layout.
extension Primitive {
    /// A copy from one layout to another.
    /// - Parameter accumulating: whether the elements are added to what the target holds.
    package static func reorder(
        from source: MemoryDescriptor, to target: MemoryDescriptor, accumulating: Bool = false, engine: Engine
    ) throws -> Primitive {
        let attributes = try Attributes(post: accumulating ? [.sum] : [])
        var descriptor: dnnl_primitive_desc_t?
        var (from, to) = (source.raw, target.raw)
        let name = "reorder from \(source) to \(target)"
        try check(
            dnnl_reorder_primitive_desc_create(
                &descriptor, &from, engine.engine, &to, engine.engine, attributes.handle), name)
        return try Primitive(descriptor: descriptor, named: name, engine: engine)
    }

    /// Memories one behind the other along an axis, in a layout that oneDNN chooses.
    package static func concatenation(of sources: [MemoryDescriptor], axis: Int, engine: Engine) throws -> Primitive {
        let attributes = try Attributes(post: [])
        var descriptor: dnnl_primitive_desc_t?
        try check(
            dnnl_concat_primitive_desc_create(
                &descriptor, nil, Int32(sources.count), Int32(axis), sources.map(\.raw), attributes.handle,
                engine.engine), "concatenation")
        return try Primitive(descriptor: descriptor, named: "concatenation", engine: engine)
    }

    /// Copies elements from one layout to another at once.
    package static func copy(
        _ source: UnsafeMutableRawPointer, _ from: MemoryDescriptor, to target: UnsafeMutableRawPointer,
        _ to: MemoryDescriptor, engine: Engine
    ) throws {
        let primitive = try reorder(from: from, to: to, engine: engine)
        let scratchpad = UnsafeMutableRawPointer.allocate(
            byteCount: max(primitive.scratchpadByteCount, 1), alignment: Memory.alignment)
        defer { scratchpad.deallocate() }
        try Invocation(
            primitive, [(.source, from, source), (.target, to, target)], scratchpad: scratchpad, engine: engine
        ).execute()
    }
}
