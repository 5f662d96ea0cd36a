import Graph
import Nodes
import Operators
import Tensors

/// Tensors with floating-point elements. Follows ONNX's element type rules only as far as they tell floats from others,
/// so it needs no shapes.
struct FloatTensors {
    private var names: Set<String> = []

    init(_ graph: Graph) {
        for input in graph.inputs where input.elementType.isFloatingPoint { names.insert(input.name) }
        for (name, constant) in graph.constants where constant.elementType.isFloatingPoint { names.insert(name) }
        for node in graph.nodes { add(node) }
    }

    func contains(_ name: String) -> Bool { names.contains(name) }

    private mutating func add(_ node: Node) {
        switch node.opType {
        case "Shape", "Size", "NonZero", "ArgMax", "ArgMin", "Equal", "Greater", "GreaterOrEqual", "Less",
            "LessOrEqual",
            "Not", "And", "Or", "Xor", "IsNaN", "IsInf", "QuantizeLinear", "DynamicQuantizeLinear", "ConvInteger",
            "MatMulInteger", "Multinomial", "NonMaxSuppression":
            break
        case "If", "Loop", "ConcatFromSequence", "SequenceAt", "SequenceConstruct", "SequenceEmpty", "SequenceErase",
            "SequenceInsert", "SequenceLength", "SequenceMap", "SplitToSequence":
            // A sequence has no grid, and which type comes of one, or of a graph within, is not looked for.
            break
        case "Cast", "BitCast", "ConstantOfShape":
            if Self.attributeSaysFloat(node) { names.formUnion(node.outputs) }
        case "Bernoulli", "EyeLike", "RandomNormalLike", "RandomUniformLike":
            if let isFloat = Self.saysFloat(node.attributes["dtype"]) {
                if isFloat { names.formUnion(node.outputs) }
            } else {
                insert(node.outputs, like: node.inputs.first)
            }
        case "DequantizeLinear", "RandomNormal", "RandomUniform", "EmbedLayerNormalization", "MatMulIntegerToFloat":
            names.formUnion(node.outputs)
        case "Where", "CastLike":
            insert(node.outputs, like: node.inputs.dropFirst().first)
        case "OneHot":
            insert(node.outputs, like: node.inputs.dropFirst(2).first)
        case "TopK", "MaxPool", "Dropout", "Unique":
            // Second outputs are indices, masks and counts.
            insert(node.outputs.prefix(1), like: node.inputs.first)
        default:
            insert(node.outputs, like: node.inputs.first { !$0.isEmpty })
        }
        names.remove("")
    }

    private mutating func insert(_ outputs: some Sequence<String>, like input: String?) {
        if let input, names.contains(input) { names.formUnion(outputs) }
    }

    /// Whether a number of ONNX's TensorProto.DataType, as of Cast's `to`, is of a floating-point type; nil where there is none.
    private static func saysFloat(_ attribute: Attribute?) -> Bool? {
        guard case .int(let type) = attribute else { return nil }
        return [1, 10, 11, 16].contains(type)
    }

    /// By Cast's `to`; ConstantOfShape's `value` is a tensor, float when absent.
    private static func attributeSaysFloat(_ node: Node) -> Bool {
        if let isFloat = saysFloat(node.attributes["to"]) { return isFloat }
        if case .tensor(let value) = node.attributes["value"] { return value.elementType.isFloatingPoint }
        return node.opType == "ConstantOfShape"
    }
}
