import Nodes
import Operators
import Tensors

extension Graph {
    /// Refuses constants that no result can be trusted with: NaN anywhere, infinities among the weights of a layer (masks are
    /// full of them, and right), variances below zero.
    /// - Throws: `GraphError(.unsoundConstant)` with the tensor, and the element by its indices.
    public func checkConstants() throws {
        var finite: Set<String> = []
        for (name, tensor) in constants.sorted(by: { $0.key < $1.key }) {
            if tensor.isFinite {
                finite.insert(name)
                continue
            }
            try tensor.check(name, expected: "no NaN") { $0.isNaN }
        }
        for node in nodes {
            for (index, name) in node.inputs.enumerated() {
                guard let tensor = constants[name] else { continue }
                if Self.layers.contains(node.opType), !finite.contains(name) {
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
    /// Whether it is of float32 and has neither NaN nor infinities, as most constants: found out in one loop without branches.
    fileprivate var isFinite: Bool {
        guard elementType == .float32 else { return false }
        let exponent: UInt32 = 0x7F80_0000
        return withUnsafeElements(as: Float.self) { elements in
            for start in stride(from: 0, to: elements.count, by: Tensor.pieceElements) {
                let part = UnsafeBufferPointer(
                    rebasing: elements[start..<Swift.min(start + Tensor.pieceElements, elements.count)])
                var found: UInt32 = 0
                for element in part { found |= element.bitPattern & exponent == exponent ? 1 : 0 }
                if found != 0 { return false }
                Tensor.letGo(of: part)
            }
            return true
        }
    }

    fileprivate func check(
        _ name: String, expected: String, at node: Node? = nil, where isUnsound: (Float) -> Bool
    ) throws {
        guard [.float32, .float16, .bfloat16, .float64].contains(elementType) else { return }
        func find(_ elements: UnsafeBufferPointer<Float>) throws {
            for start in stride(from: 0, to: elements.count, by: Tensor.pieceElements) {
                let part = elements[start..<Swift.min(start + Tensor.pieceElements, elements.count)]
                if let index = part.firstIndex(where: isUnsound) {
                    throw GraphError(
                        .unsoundConstant, node: node?.name, opType: node?.opType, tensor: name, expected: expected,
                        found: "\(elements[index]) at \(shape.indices(of: index))")
                }
                Tensor.letGo(of: UnsafeBufferPointer(rebasing: part))
            }
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
