import COneDNN

/// oneDNN's CPU engine and an in-order stream on it. Belongs to one thread, as everything made with it does.
package final class Engine {
    package let engine: dnnl_engine_t
    package let stream: dnnl_stream_t

    package init() throws {
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
