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
        "outputs are integers": [
            "ArgMax", "ArgMin", "BitShift", "BitwiseAnd", "BitwiseNot", "BitwiseOr", "BitwiseXor", "NonMaxSuppression",
            "NonZero", "Shape", "Size",
        ],
        "outputs are constants": [
            "BlackmanWindow", "Constant", "ConstantOfShape", "EyeLike", "HammingWindow", "HannWindow",
            "MelWeightMatrix",
            "Range",
        ],
        "steps between grids": ["DequantizeLinear", "DynamicQuantizeLinear", "QuantizeLinear"],
        "PyTorch has none": ["Hardmax", "OneHot", "TfIdfVectorizer", "Unique"],
        "expanded before there is a plan": [
            "ConcatFromSequence", "If", "Loop", "Scan", "SequenceAt", "SequenceConstruct", "SequenceEmpty",
            "SequenceErase", "SequenceInsert", "SequenceLength", "SequenceMap", "SplitToSequence",
        ],
        "not written yet": [
            "AffineGrid", "Col2Im", "DFT", "DeformConv", "Det", "GlobalLpPool", "GridSample", "LpPool", "MaxRoiPool",
            "RoiAlign", "STFT",
        ],
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
