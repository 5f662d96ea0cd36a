import CKernels

/// Scaling of gradients whose norm is too large, as PyTorch's `clip_grad_norm_`.
public enum GradientClipping {
    /// The Euclidean norm of all gradients together, in double precision and a fixed order.
    public static func norm(_ gradients: [Float]) -> Double {
        qs_sum_of_squares(gradients, gradients.count).squareRoot()
    }

    /// Multiplies the gradients by `maximumNorm / (norm + 1e-6)` where that is less than 1.
    /// - Parameter maximumNorm: positive.
    /// - Returns: the norm before.
    @discardableResult
    public static func clip(_ gradients: inout [Float], maximumNorm: Double) -> Double {
        precondition(maximumNorm > 0, "a norm of \(maximumNorm)")
        let norm = norm(gradients)
        let factor = maximumNorm / (norm + 1e-6)
        guard factor < 1 else { return norm }
        let count = gradients.count
        gradients.withUnsafeMutableBufferPointer { qs_scale($0.baseAddress, count, Float(factor)) }
        return norm
    }
}
