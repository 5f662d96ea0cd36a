import COneDNN

/// oneDNN's handle for a piece of memory that someone else owns.
package final class Memory {
    /// Memory starts on cache lines, in bytes.
    package static let alignment = 64

    package let handle: dnnl_memory_t

    package init(_ layout: MemoryDescriptor, at address: UnsafeMutableRawPointer, engine: Engine) throws {
        var memory: dnnl_memory_t?
        var raw = layout.raw
        try check(dnnl_memory_create(&memory, &raw, engine.engine, address), "memory \(layout)")
        guard let memory else { throw ExecutionError(.library, operation: "memory \(layout)") }
        handle = memory
    }

    deinit { dnnl_memory_destroy(handle) }
}
