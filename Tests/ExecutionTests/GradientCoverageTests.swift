import Execution
import Foundation
import Graph
import Nodes
import ONNX
import Operators
import Testing

/// Which operators have no gradient, and that those that have one are compared with differences.
struct GradientCoverageTests {
    /// Why an operator has no gradient.
    private static let withoutGradient: [String: [String]] = [
        "outputs are truth values": [
            "And", "Equal", "Greater", "GreaterOrEqual", "IsInf", "IsNaN", "Less", "LessOrEqual", "Not", "Or", "Xor",
        ],
        "outputs are integers, or their bits": [
            "ArgMax", "ArgMin", "BitCast", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor",
            "NonMaxSuppression", "NonZero", "Shape", "Size",
        ],
        "outputs are constants": [
            "BlackmanWindow", "Constant", "ConstantOfShape", "EyeLike", "HammingWindow", "HannWindow",
            "MelWeightMatrix", "Range",
        ],
        "steps between grids": ["DequantizeLinear", "DynamicQuantizeLinear", "QuantizeLinear"],
        "PyTorch has none": ["Hardmax", "OneHot", "TfIdfVectorizer", "Unique"],
        "not written yet": ["LinearAttention", "TensorScatter"],
    ]

    /// Of ONNX's own operators, those that are computed as themselves: others are as differentiable as what they are made of.
    private static let own = ExecutionSupport.catalogue.filter { $0.domain.isEmpty && $0.forward != .composition }

    @Test func whatHasNoGradientIsNamed() {
        let missing = Self.own.filter { !$0.gradient }.map(\.operator)
        #expect(missing.sorted() == Self.withoutGradient.values.flatMap(\.self).sorted())
    }

    /// `OperatorGradientTests` take every network of Tests/Golden/Execution.
    @Test func everyGradientIsComparedWithDifferences() throws {
        var seen: Set<String> = []
        for name in OperatorGoldenTests.cases {
            let file = OperatorGoldenTests.folder.appendingPathComponent("\(name).onnx")
            seen.formUnion(try Graph(importing: ONNXFile.read(file)).nodes.map(\.opType))
        }
        let unseen = Self.own.filter { $0.gradient && !seen.contains($0.operator) }.map(\.operator)
        #expect(unseen.isEmpty, "\(unseen)")
    }
}
