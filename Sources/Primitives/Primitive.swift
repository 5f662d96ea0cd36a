import COneDNN

/// A primitive for fixed shapes and layouts, and the layouts that it chose. The factories, by what they compute, stand in the
/// files of this folder that are named `...Primitives`.
package final class Primitive {
    /// Memory that the primitive needs while it runs, in bytes.
    package let scratchpadByteCount: Int
    /// What it computes, for errors and profiles.
    package let name: String
    private let descriptor: dnnl_primitive_desc_t
    private let primitive: dnnl_primitive_t
    private let engine: Engine

    /// - Parameters:
    ///   - operation: a filled-in `dnnl_*_desc_t`.
    ///   - forward: for a primitive of the backward pass, the one of the forward pass that it belongs to.
    package convenience init<Operation>(
        _ operation: inout Operation, named name: String, post: [PostOperation] = [], forward: Primitive? = nil,
        engine: Engine
    ) throws {
        let attributes = try Attributes(post: post)
        var descriptor: dnnl_primitive_desc_t?
        try withUnsafePointer(to: &operation) {
            try check(
                dnnl_primitive_desc_create(&descriptor, $0, attributes.handle, engine.engine, forward?.descriptor),
                name)
        }
        try self.init(descriptor: descriptor, named: name, engine: engine)
    }

    /// Takes a primitive descriptor over, also where it throws.
    package init(descriptor: dnnl_primitive_desc_t?, named name: String, engine: Engine) throws {
        guard let descriptor else { throw ExecutionError(.library, operation: name) }
        var primitive: dnnl_primitive_t?
        do {
            try check(dnnl_primitive_create(&primitive, descriptor), name)
            guard let made = primitive else { throw ExecutionError(.library, operation: name) }
            self.primitive = made
        } catch {
            dnnl_primitive_desc_destroy(descriptor)
            throw error
        }
        self.name = name
        self.descriptor = descriptor
        self.engine = engine
        let scratchpad = dnnl_primitive_desc_query_md(descriptor, dnnl_query_scratchpad_md, 0)
        scratchpadByteCount = scratchpad.map { dnnl_memory_desc_get_size($0) } ?? 0
    }

    deinit {
        dnnl_primitive_destroy(primitive)
        dnnl_primitive_desc_destroy(descriptor)
    }

    /// The layout that the primitive chose for one of its memories.
    package func layout(_ argument: Argument) throws -> MemoryDescriptor {
        guard let query = argument.query, let chosen = dnnl_primitive_desc_query_md(descriptor, query, 0) else {
            throw ExecutionError(.library, operation: "layout of \(argument) of \(name)")
        }
        return MemoryDescriptor(chosen.pointee)
    }

    /// The descriptor that the primitive was made of.
    /// - Parameter query: `dnnl_query_*_d` of the type asked for.
    package func operation<Operation>(_ query: dnnl_query_t, as type: Operation.Type) throws -> Operation {
        var pointer: UnsafePointer<Operation>?
        try withUnsafeMutablePointer(to: &pointer) {
            try check(dnnl_primitive_desc_query(descriptor, query, 0, $0), "operation query \(query.rawValue)")
        }
        guard let pointer else { throw ExecutionError(.library, operation: "operation query \(query.rawValue)") }
        return pointer.pointee
    }

    /// Which of oneDNN's implementations was chosen, for profiles.
    package var implementation: String {
        var text: UnsafePointer<CChar>?
        let status = withUnsafeMutablePointer(to: &text) {
            dnnl_primitive_desc_query(descriptor, dnnl_query_impl_info_str, 0, $0)
        }
        guard status == dnnl_success, let text else { return "unknown" }
        return String(cString: text)
    }

    package func execute(_ arguments: [dnnl_exec_arg_t]) throws {
        try check(
            dnnl_primitive_execute(primitive, engine.stream, Int32(arguments.count), arguments), implementation)
    }
}
