import Execution
import Foundation
import Graph
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
        "outputs are integers": [
            "ArgMax", "ArgMin", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "Shape", "Size",
        ],
        "outputs are constants": ["Constant", "ConstantOfShape", "EyeLike", "Range"],
        "steps between grids": ["DequantizeLinear", "DynamicQuantizeLinear", "QuantizeLinear"],
        "PyTorch has none": ["Hardmax", "OneHot"],
    ]

    @Test func whatHasNoGradientIsNamed() {
        let missing = KnownOperators.supportedTypes.filter { !ExecutionSupport.hasGradient($0) }
        #expect(missing.sorted() == Self.withoutGradient.values.flatMap(\.self).sorted())
    }

    /// `OperatorGradientTests` take every network of Tests/Golden/Execution.
    @Test func everyGradientIsComparedWithDifferences() throws {
        var seen: Set<String> = []
        for name in OperatorGoldenTests.cases {
            let file = OperatorGoldenTests.folder.appendingPathComponent("\(name).onnx")
            seen.formUnion(try Graph(importing: ONNXFile.read(file)).nodes.map(\.opType))
        }
        let unseen = KnownOperators.supportedTypes.filter { ExecutionSupport.hasGradient($0) && !seen.contains($0) }
        #expect(unseen.isEmpty, "\(unseen.sorted())")
    }
}
