import Operators
import Tensors

extension Graph {
    /// Refuses constants that no result can be trusted with: NaN anywhere, infinities among the weights of a layer (masks are
    /// full of them, and right), variances below zero.
    /// - Throws: `GraphError(.unsoundConstant)` with the tensor, and the element by its indices.
    public func checkConstants() throws {
        for (name, tensor) in constants.sorted(by: { $0.key < $1.key }) {
            try tensor.check(name, expected: "no NaN") { $0.isNaN }
        }
        for node in nodes {
            for (index, name) in node.inputs.enumerated() {
                guard let tensor = constants[name] else { continue }
                if Self.layers.contains(node.opType) {
                    try tensor.check(name, expected: "finite weights", at: node) { !$0.isFinite }
                }
                if node.opType == "BatchNormalization", index == 4 {
                    try tensor.check(name, expected: "variances of at least 0", at: node) { $0 < 0 }
                }
            }
        }
    }

    private static let layers: Set<String> = [
        "Conv", "ConvTranspose", "Gemm", "MatMul", "BatchNormalization", "LayerNormalization", "PRelu",
    ]
}

extension Tensor {
    fileprivate func check(
        _ name: String, expected: String, at node: Node? = nil, where isUnsound: (Float) -> Bool
    ) throws {
        guard [.float32, .float16, .bfloat16, .float64].contains(elementType) else { return }
        func find(_ elements: UnsafeBufferPointer<Float>) throws {
            guard let index = elements.firstIndex(where: isUnsound) else { return }
            throw GraphError(
                .unsoundConstant, node: node?.name, opType: node?.opType, tensor: name, expected: expected,
                found: "\(elements[index]) at \(shape.indices(of: index))")
        }
        if elementType == .float32 {
            try withUnsafeElements(as: Float.self, find)
        } else {
            let floats = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
                copyAsFloats(into: UnsafeMutableBufferPointer(rebasing: buffer[..<count]))
                initialized = count
            }
            try floats.withUnsafeBufferPointer(find)
        }
    }
}
