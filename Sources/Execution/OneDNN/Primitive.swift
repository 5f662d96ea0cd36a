import COneDNN

/// oneDNN's CPU engine and an in-order stream on it. Belongs to one thread, as everything made with it does.
final class Engine {
    let engine: dnnl_engine_t
    let stream: dnnl_stream_t

    init() throws {
        var engine: dnnl_engine_t?
        try check(dnnl_engine_create(&engine, dnnl_cpu, 0), "engine")
        guard let engine else { throw ExecutionError(.library, operation: "engine") }
        var stream: dnnl_stream_t?
        try check(dnnl_stream_create(&stream, engine, dnnl_stream_default_flags.rawValue), "stream")
        guard let stream else { throw ExecutionError(.library, operation: "stream") }
        self.engine = engine
        self.stream = stream
    }

    deinit {
        dnnl_stream_destroy(stream)
        dnnl_engine_destroy(engine)
    }
}

/// What is done to each output element before a primitive stores it.
enum PostOperation: Equatable {
    /// `x -> f(x)`, with oneDNN's meaning of alpha and beta.
    case eltwise(dnnl_alg_kind_t, alpha: Float, beta: Float)
    /// Adds what the destination held before.
    case sum
}

/// A primitive for fixed shapes and layouts, and the layouts that it chose.
final class Primitive {
    /// Memory that the primitive needs while it runs, in bytes.
    let scratchpadByteCount: Int
    private let descriptor: dnnl_primitive_desc_t
    private let primitive: dnnl_primitive_t
    private let engine: Engine

    /// - Parameters:
    ///   - operation: a filled-in `dnnl_*_desc_t`.
    ///   - forward: for a primitive of the backward pass, the one of the forward pass that it belongs to.
    convenience init<Operation>(
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

    /// A copy from one layout to another.
    /// - Parameter accumulating: whether the elements are added to what the target holds.
    convenience init(
        reorder from: MemoryDescriptor, to: MemoryDescriptor, accumulating: Bool = false, engine: Engine
    ) throws {
        let attributes = try Attributes(post: accumulating ? [.sum] : [])
        var descriptor: dnnl_primitive_desc_t?
        var (source, target) = (from.raw, to.raw)
        let name = "reorder from \(from) to \(to)"
        try check(
            dnnl_reorder_primitive_desc_create(
                &descriptor, &source, engine.engine, &target, engine.engine, attributes.handle), name)
        try self.init(descriptor: descriptor, named: name, engine: engine)
    }

    /// Memories one behind the other along an axis, in a layout that oneDNN chooses.
    convenience init(concatenating sources: [MemoryDescriptor], axis: Int, engine: Engine) throws {
        let attributes = try Attributes(post: [])
        var descriptor: dnnl_primitive_desc_t?
        try check(
            dnnl_concat_primitive_desc_create(
                &descriptor, nil, Int32(sources.count), Int32(axis), sources.map(\.raw), attributes.handle,
                engine.engine), "concatenation")
        try self.init(descriptor: descriptor, named: "concatenation", engine: engine)
    }

    private init(descriptor: dnnl_primitive_desc_t?, named name: String, engine: Engine) throws {
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
    func layout(_ query: dnnl_query_t, _ index: Int32 = 0) throws -> MemoryDescriptor {
        guard let chosen = dnnl_primitive_desc_query_md(descriptor, query, index) else {
            throw ExecutionError(.library, operation: "layout query \(query.rawValue)")
        }
        return MemoryDescriptor(chosen.pointee)
    }

    /// The descriptor that the primitive was made of.
    /// - Parameter query: `dnnl_query_*_d` of the type asked for.
    func operation<Operation>(_ query: dnnl_query_t, as type: Operation.Type) throws -> Operation {
        var pointer: UnsafePointer<Operation>?
        try withUnsafeMutablePointer(to: &pointer) {
            try check(dnnl_primitive_desc_query(descriptor, query, 0, $0), "operation query \(query.rawValue)")
        }
        guard let pointer else { throw ExecutionError(.library, operation: "operation query \(query.rawValue)") }
        return pointer.pointee
    }

    /// Which of oneDNN's implementations was chosen, for profiles.
    var implementation: String {
        var text: UnsafePointer<CChar>?
        let status = withUnsafeMutablePointer(to: &text) {
            dnnl_primitive_desc_query(descriptor, dnnl_query_impl_info_str, 0, $0)
        }
        guard status == dnnl_success, let text else { return "unknown" }
        return String(cString: text)
    }

    func execute(_ arguments: [dnnl_exec_arg_t]) throws {
        try check(
            dnnl_primitive_execute(primitive, engine.stream, Int32(arguments.count), arguments), implementation)
    }
}

/// Primitive attributes: scratchpad from the caller, and post-operations.
private final class Attributes {
    let handle: dnnl_primitive_attr_t

    init(post: [PostOperation]) throws {
        var attributes: dnnl_primitive_attr_t?
        try check(dnnl_primitive_attr_create(&attributes), "attributes")
        guard let attributes else { throw ExecutionError(.library, operation: "attributes") }
        handle = attributes
        try check(dnnl_primitive_attr_set_scratchpad_mode(handle, dnnl_scratchpad_mode_user), "scratchpad mode")
        guard !post.isEmpty else { return }
        var chain: dnnl_post_ops_t?
        try check(dnnl_post_ops_create(&chain), "post-operations")
        defer { dnnl_post_ops_destroy(chain) }
        for operation in post {
            switch operation {
            case .eltwise(let algorithm, let alpha, let beta):
                try check(dnnl_post_ops_append_eltwise(chain, 1, algorithm, alpha, beta), "post-operation")
            case .sum:
                try check(dnnl_post_ops_append_sum(chain, 1), "post-operation sum")
            }
        }
        try check(dnnl_primitive_attr_set_post_ops(handle, chain), "post-operations")
    }

    deinit { dnnl_primitive_attr_destroy(handle) }
}

/// oneDNN's handle for a piece of memory that someone else owns.
final class Memory {
    let handle: dnnl_memory_t

    init(_ layout: MemoryDescriptor, at address: UnsafeMutableRawPointer, engine: Engine) throws {
        var memory: dnnl_memory_t?
        var raw = layout.raw
        try check(dnnl_memory_create(&memory, &raw, engine.engine, address), "memory \(layout)")
        guard let memory else { throw ExecutionError(.library, operation: "memory \(layout)") }
        handle = memory
    }

    deinit { dnnl_memory_destroy(handle) }
}
