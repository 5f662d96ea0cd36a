import Nodes
import Tensors

/// A reduction over some axes. The axes are an attribute before opset 18 (ReduceSum: 13), an input since.
public struct Reduce: Operator {
    /// What is left of the elements along the reduced axes, by ONNX name.
    public enum Function: String, Sendable, Equatable, CaseIterable {
        case mean = "ReduceMean"
        case sum = "ReduceSum"
        case max = "ReduceMax"
        case min = "ReduceMin"
        case product = "ReduceProd"
        case l1 = "ReduceL1"
        case l2 = "ReduceL2"
        case sumOfSquares = "ReduceSumSquare"
        case logSum = "ReduceLogSum"
        case logSumOfExponentials = "ReduceLogSumExp"
    }

    public static let opTypes = Function.allCases.map(\.rawValue)

    let node: Node
    /// What is left of the elements along the reduced axes.
    public let function: Function
    /// Whether a reduced axis stays with extent 1.
    public let keepsAxes: Bool
    private let attributeAxes: [Int]?
    /// Whether empty axes mean none; otherwise they mean all.
    private let emptyMeansNone: Bool

    public init(node: Node, opsetVersion: Int) throws {
        guard let function = Function(rawValue: node.opType) else {
            throw GraphError(.unsupportedOperators, at: node, found: node.opType)
        }
        self.function = function
        let takesAxes = opsetVersion >= (function == .sum ? 13 : 18)
        try node.checkArity(inputs: 1...(takesAxes ? 2 : 1))
        var attributes = AttributeReader(node)
        keepsAxes = try attributes.flag("keepdims", default: true)
        attributeAxes = takesAxes ? nil : try attributes.ints("axes")
        emptyMeansNone = takesAxes ? try attributes.flag("noop_with_empty_axes") : false
        try attributes.finish()
        self.node = node
    }

    /// The axes that are reduced, counted from the front, sorted.
    public func axes(inputs: [OperatorInput?]) throws -> [Int] {
        let rank = try node.input(inputs, 0).type.shape.rank
        let axes = try attributeAxes ?? node.constantInts(inputs, 1) ?? []
        return axes.isEmpty && !emptyMeansNone ? Array(0..<rank) : try node.resolveAxes(axes, rank: rank)
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let type = try node.input(inputs, 0).type
        let reduced = Set(try axes(inputs: inputs))
        let extents = type.shape.dimensions.indices.compactMap { axis in
            reduced.contains(axis) ? (keepsAxes ? 1 : nil) : type.shape[axis]
        }
        return [ValueType(type.elementType, Shape(extents))]
    }
}
