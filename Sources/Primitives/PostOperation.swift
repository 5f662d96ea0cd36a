import COneDNN

/// What is done to each output element before a primitive stores it.
package enum PostOperation: Equatable {
    /// `x -> f(x)`, with oneDNN's meaning of alpha and beta.
    case eltwise(Algorithm.Elementwise, alpha: Float, beta: Float)
    /// Adds what the destination held before.
    case sum
}

extension PostOperation {
    /// Whether a primitive may do both: oneDNN 2.6 takes the parameters of the first for all functions of one algorithm.
    package func goes(with other: PostOperation) -> Bool {
        guard case .eltwise(let algorithm, _, _) = self, case .eltwise(algorithm, _, _) = other else { return true }
        return false
    }
}

extension [PostOperation] {
    /// The longest beginning that one primitive may do, and the rest.
    package var fusable: (fused: [PostOperation], rest: [PostOperation]) {
        let end = indices.first { end in !prefix(end).allSatisfy { self[end].goes(with: $0) } } ?? endIndex
        return (Array(prefix(end)), Array(suffix(from: end)))
    }
}

/// Primitive attributes: scratchpad from the caller, and post-operations.
package final class Attributes {
    package let handle: dnnl_primitive_attr_t

    /// - Parameter post: no two functions of one algorithm.
    package init(post: [PostOperation]) throws {
        precondition(post.fusable.rest.isEmpty, "two functions of one algorithm")
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
                try check(dnnl_post_ops_append_eltwise(chain, 1, algorithm.raw, alpha, beta), "post-operation")
            case .sum:
                try check(dnnl_post_ops_append_sum(chain, 1), "post-operation sum")
            }
        }
        try check(dnnl_primitive_attr_set_post_ops(handle, chain), "post-operations")
    }

    deinit { dnnl_primitive_attr_destroy(handle) }
}
