import Nodes
import TensorFunctions
import Tensors

/// HannWindow, HammingWindow and BlackmanWindow: what a stretch of a signal is weighted with, a0 - a1 cos(2 pi n / N) +
/// a2 cos(4 pi n / N). Only for a constant size.
public struct WindowFunction: Operator {
    public static let opTypes = ["HannWindow", "HammingWindow", "BlackmanWindow"]

    /// Longer windows would only fill the memory.
    private static let limit = 1 << 24

    let node: Node
    /// Whether N is the size, so that the window goes on as it begins; else one less, so that it ends as it begins.
    private let isPeriodic: Bool
    private let target: ElementType

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1)
        var attributes = AttributeReader(node)
        isPeriodic = try attributes.flag("periodic", default: true)
        target = try attributes.numberType("output_datatype")
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        [ValueType(target, [try size(inputs: inputs)])]
    }

    private func size(inputs: [OperatorInput?]) throws -> Int {
        let sizes = try node.constantInts(inputs, 0) ?? []
        guard sizes.count == 1, 0...Self.limit ~= sizes[0] else {
            throw GraphError(
                .invalidInput, at: node, tensor: node.optional(inputs, 0)?.name, expected: "a size up to \(Self.limit)",
                found: "\(sizes)")
        }
        return sizes[0]
    }

    /// a0, a1 and a2.
    private var coefficients: (Double, Double, Double) {
        switch node.opType {
        case "HannWindow": (0.5, 0.5, 0)
        case "HammingWindow": (25.0 / 46, 21.0 / 46, 0)
        default: (0.42, 0.5, 0.08)
        }
    }

    /// The weights, in double precision.
    package func weights(inputs: [OperatorInput?]) throws -> [Double] {
        cosineWindow(coefficients, size: try size(inputs: inputs), isPeriodic: isPeriodic)
    }
}
