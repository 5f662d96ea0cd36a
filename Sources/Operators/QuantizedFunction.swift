import Nodes
import Tensors

/// ONNX Runtime's functions of quantized numbers: each operand comes with its scale and zero point, which may be absent, and so does
/// the result. The function is one of ONNX on the numbers that they stand for.
public struct QuantizedFunction: Operator {
    public static let opTypes = functions.keys.map { "com.microsoft.\($0)" }.sorted()

    /// By op type: ONNX's function, and how many operands it has; zero for any number, behind scale and zero point of the result.
    private static let functions: [String: (function: String, operands: Int)] = [
        "QLinearAdd": ("Add", 2), "QLinearMul": ("Mul", 2), "QLinearSigmoid": ("Sigmoid", 1),
        "QLinearLeakyRelu": ("LeakyRelu", 1), "QLinearSoftmax": ("Softmax", 1), "QLinearConcat": ("Concat", 0),
        "QLinearGlobalAveragePool": ("GlobalAveragePool", 1), "QLinearAveragePool": ("AveragePool", 1),
    ]

    package let node: Node
    /// Of each operand the place of its integers, which scale and zero point follow.
    package let operands: [Int]
    /// Place of the result's scale, which the zero point follows.
    package let result: Int
    /// ONNX's function.
    package let function: (opType: String, attributes: [String: Attribute])
    /// The axis from which on a softmax goes over all, as in old operator sets.
    package let flattensFrom: Int?

    public init(node: Node, opsetVersion: Int) throws {
        guard let (name, count) = Self.functions[node.opType] else {
            throw GraphError(.unsupportedOperators, at: node, found: node.opType)
        }
        if count == 0 {
            guard node.inputs.count >= 5, node.inputs.count % 3 == 2 else {
                throw GraphError(
                    .invalidInput, at: node, expected: "scale, zero point, and three inputs for each operand",
                    found: "\(node.inputs.count) inputs")
            }
            operands = Array(stride(from: 2, to: node.inputs.count, by: 3))
            result = 0
        } else {
            operands = (0..<count).map { 3 * $0 }
            result = 3 * count
        }
        try node.checkArity(inputs: 1...(count == 0 ? node.inputs.count : result + 2))
        var attributes = node.attributes
        if let last = attributes.removeValue(forKey: "channels_last"), last != .int(0) {
            throw GraphError(.invalidAttribute, at: node, expected: "channels_last 0", found: "1")
        }
        var flattensFrom: Int?
        if name == "Softmax" {
            var version = 13
            if case .int(let given)? = attributes.removeValue(forKey: "opset") { version = given }
            if version < 13 {
                flattensFrom = 1
                if case .int(let axis)? = attributes.removeValue(forKey: "axis") { flattensFrom = axis }
            }
        }
        function = (name, attributes)
        self.flattensFrom = flattensFrom
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let first = try node.input(inputs, operands[0])
        var numbers: [OperatorInput?] = []
        for place in operands {
            let input = try node.input(inputs, place)
            guard [.int8, .uint8, .int16, .uint16].contains(input.type.elementType) else {
                throw GraphError(
                    .unsupportedElementType, at: node, tensor: input.name, expected: "integers of 8 or 16 bits",
                    found: input.type.elementType.rawValue)
            }
            try check(inputs, scale: place + 1, of: input.type.elementType)
            numbers.append(OperatorInput(name: input.name, type: ValueType(.float32, input.type.shape), constant: nil))
        }
        let type = node.optional(inputs, result + 1)?.type.elementType ?? first.type.elementType
        try check(inputs, scale: result, of: type)
        if let flattensFrom { _ = try node.resolveAxis(flattensFrom, rank: first.type.shape.rank, inclusive: true) }
        let meaning = try KnownOperators.make(
            node: Node(
                name: node.name, opType: function.opType, inputs: numbers.map { $0?.name ?? "" }, outputs: ["numbers"],
                attributes: function.attributes), opsetVersion: 18)
        return [ValueType(type, try meaning.outputTypes(inputs: numbers)[0].shape)]
    }

    private func check(_ inputs: [OperatorInput?], scale place: Int, of type: ElementType) throws {
        let scale = try node.input(inputs, place)
        let zero = node.optional(inputs, place + 1)
        guard scale.type.shape.count == 1, scale.type.elementType == .float32, zero?.type.shape.count ?? 1 == 1,
            zero?.type.elementType ?? type == type
        else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: scale.name,
                expected: "one scale of float32 and one zero point of \(type.rawValue)",
                found: "\(scale.type.elementType.rawValue) \(scale.type.shape)"
                    + (zero.map { " and \($0.type.elementType.rawValue) \($0.type.shape)" } ?? ""))
        }
    }
}
