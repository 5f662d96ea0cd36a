import Graph
import Support

extension GraphError {
    var sentence: Sentence {
        Sentence(
            complaint, node: node, opType: opType, tensor: tensor, expected: expected, found: found)
    }

    private var complaint: String {
        switch code {
        case .undefinedValue: "used before it is defined"
        case .duplicateValue: "defined twice"
        case .cycle: "the nodes form a cycle"
        case .missingOutput: "a graph output that no node computes"
        case .unsupportedOperators: "unsupported operators"
        case .unsupportedOpset: "unsupported operator set version"
        case .unsupportedElementType: "unsupported element type"
        case .invalidAttribute: "invalid attribute"
        case .invalidInput: "invalid input"
        case .shapeMismatch: "shapes do not fit"
        case .inputShapeMismatch: "the input has another shape than the model's"
        }
    }
}
