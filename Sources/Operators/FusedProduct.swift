import Nodes
import Tensors

/// ONNX Runtime's products with something done before or behind: FusedMatMul (TransposeMatMul), whose factors may be transposed and
/// whose product is multiplied by a number; FusedGemm and FusedConv, behind which stands a function of each element, and of FusedConv
/// the addition of a fourth input before that.
public struct FusedProduct: Operator {
    public static let opTypes = [
        "com.microsoft.FusedMatMul", "com.microsoft.TransposeMatMul", "com.microsoft.FusedGemm",
        "com.microsoft.FusedConv",
    ]

    package let node: Node
    /// ONNX's product, and its attributes.
    package let product: (opType: String, attributes: [String: Attribute])
    /// Of a matrix product: its factor, and whether the last two axes of the factors are exchanged.
    package let alpha: Float
    package let transposes: (left: Bool, right: Bool)
    /// ONNX's function of each element, and its attributes; nil for none.
    package let activation: (opType: String, attributes: [String: Attribute])?
    private let meaning: any Operator

    public init(node: Node, opsetVersion: Int) throws {
        var attributes = node.attributes
        var reader = AttributeReader(node)
        let isMatrix = node.opType.hasSuffix("MatMul")
        if isMatrix {
            try node.checkArity(inputs: 2...2)
            alpha = try reader.float("alpha", default: 1)
            transposes = (try reader.flag("transA"), try reader.flag("transB"))
            let batches = [try reader.flag("transBatchA"), try reader.flag("transBatchB")]
            guard !batches.contains(true) else {
                throw GraphError(.invalidAttribute, at: node, expected: "transBatchA and transBatchB 0", found: "1")
            }
            try reader.finish()
            attributes = [:]
            activation = nil
        } else {
            (alpha, transposes) = (1, (false, false))
            let name = try reader.string("activation") ?? ""
            let isConvolution = node.opType == "FusedConv"
            try node.checkArity(inputs: 2...(isConvolution ? 4 : 3))
            let parameters =
                isConvolution
                ? try reader.floats("activation_params") ?? []
                : try ["activation_alpha", "activation_beta"].compactMap { try reader.float($0) }
            activation = try Self.activation(name, parameters, at: node)
            for key in attributes.keys where key.hasPrefix("activation") { attributes[key] = nil }
        }
        product = (isMatrix ? "MatMul" : node.opType == "FusedConv" ? "Conv" : "Gemm", attributes)
        let inputs = Array(node.inputs.prefix(product.opType == "Conv" ? 3 : 2))
        meaning = try KnownOperators.make(
            node: Node(
                name: node.name, opType: product.opType, inputs: product.opType == "Gemm" ? node.inputs : inputs,
                outputs: node.outputs, attributes: attributes), opsetVersion: max(opsetVersion, 11))
        self.node = node
    }

    private static func activation(
        _ name: String, _ parameters: [Float], at node: Node
    ) throws -> (opType: String, attributes: [String: Attribute])? {
        let names: [String: [String]] = [
            "Relu": [], "Sigmoid": [], "Tanh": [], "Softplus": [], "LeakyRelu": ["alpha"], "Elu": ["alpha"],
            "HardSigmoid": ["alpha", "beta"], "ThresholdedRelu": ["alpha"], "Clip": ["min", "max"], "HardSwish": [],
        ]
        guard !name.isEmpty else { return nil }
        guard let keys = names[name], parameters.count <= keys.count || name != "Clip" else {
            throw GraphError(
                .invalidAttribute, at: node, expected: "activation \(names.keys.sorted().joined(separator: ", "))",
                found: name)
        }
        return (name, Dictionary(zip(keys, parameters.map { .float($0) })) { first, _ in first })
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        try node.checkOneElementType(inputs)
        var operands = Array(inputs.prefix(product.opType == "MatMul" ? 2 : 3))
        for (index, isTurned) in [transposes.left, transposes.right].enumerated() where isTurned {
            let input = try node.input(inputs, index, rank: 2...Int.max)
            var shape = input.type.shape.dimensions
            shape.swapAt(shape.count - 1, shape.count - 2)
            operands[index]?.type.shape = Shape(shape)
        }
        let type = try meaning.outputTypes(inputs: operands)[0]
        if let addend = node.optional(inputs, 3), addend.type != type {
            throw GraphError(
                .shapeMismatch, at: node, tensor: addend.name, expected: "\(type.shape)", found: "\(addend.type.shape)")
        }
        return [type]
    }
}
