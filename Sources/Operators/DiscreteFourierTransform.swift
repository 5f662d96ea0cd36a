import Nodes
import TensorFunctions
import Tensors

/// DFT and STFT: the discrete Fourier transform along an axis, and of stretches of a signal. The last axis has the
/// parts of a number: real alone, or real and imaginary.
public struct DiscreteFourierTransform: Operator {
    public static let opTypes = ["DFT", "STFT"]

    /// Longer transforms would only fill the memory.
    private static let limit = 1 << 22

    package let node: Node
    private let isInverse, isOneSided: Bool
    /// Of DFT before opset 20; an input since.
    private let attributeAxis: Int?

    /// Whether stretches are transformed.
    package var isShortTime: Bool { node.opType == "STFT" }

    public init(node: Node, opsetVersion: Int) throws {
        let isShortTime = node.opType == "STFT"
        try node.checkArity(inputs: isShortTime ? 2...4 : 1...(opsetVersion >= 20 ? 3 : 2))
        var attributes = AttributeReader(node)
        isOneSided = try attributes.flag("onesided", default: isShortTime)
        isInverse = isShortTime ? false : try attributes.flag("inverse")
        attributeAxis = !isShortTime && opsetVersion < 20 ? try attributes.int("axis", default: 1) : nil
        try attributes.finish()
        self.node = node
    }

    /// The only element of a constant input; nil where there is no input.
    private func number(_ inputs: [OperatorInput?], _ index: Int) throws -> Int? {
        guard let values = try node.constantInts(inputs, index) else { return nil }
        guard values.count == 1, -Self.limit...Self.limit ~= values[0] else {
            throw GraphError(
                .invalidInput, at: node, tensor: node.optional(inputs, index)?.name,
                expected: "one number up to \(Self.limit)", found: "\(values)")
        }
        return values[0]
    }

    // MARK: DFT

    /// The axis, from the front, and the form of its rows.
    package func form(inputs: [OperatorInput?]) throws -> (axis: Int, form: FourierTransform.Form) {
        let input = try signal(inputs, rank: 2...Int.max)
        let rank = input.type.shape.rank
        let axis = try node.resolveAxis(try attributeAxis ?? number(inputs, 2) ?? -2, rank: rank)
        guard axis < rank - 1 else {
            throw GraphError(
                .invalidAttribute, at: node, expected: "an axis of the signal, not of its numbers' parts",
                found: "\(axis)")
        }
        let extent = input.type.shape[axis]
        let length = try number(inputs, 1) ?? (isInverse && isOneSided ? 2 * (extent - 1) : extent)
        try checkLength(length, tensor: input.name)
        return (axis, FourierTransform.Form(length: length, isInverse: isInverse, isOneSided: isOneSided))
    }

    private func checkLength(_ length: Int, tensor: String) throws {
        guard 1...Self.limit ~= length, FourierTransform.cost(length: length) <= 1 << 28 else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: tensor,
                expected: "a length from 1 to \(Self.limit), without a great prime factor", found: "\(length)")
        }
    }

    private func signal(_ inputs: [OperatorInput?], rank: ClosedRange<Int>) throws -> OperatorInput {
        let input = try node.input(inputs, 0, rank: rank)
        guard 1...2 ~= input.type.shape.dimensions.last ?? 0, input.type.elementType.isFloatingPoint else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: input.name, expected: "[..., 1] or [..., 2] of floats",
                found: "\(input.type.shape) of \(input.type.elementType.rawValue)")
        }
        return input
    }

    // MARK: STFT

    /// How a signal is cut: where each stretch begins, and its length.
    package func frames(inputs: [OperatorInput?]) throws -> (starts: [Int], form: FourierTransform.Form) {
        let input = try signal(inputs, rank: 3...3)
        let window = try node.optional(inputs, 2).map { _ in try node.input(inputs, 2, rank: 1...1) }
        let extent = input.type.shape[1]
        let step = try number(inputs, 1) ?? 0
        let length = try number(inputs, 3) ?? window?.type.shape[0] ?? extent
        guard step > 0, 1...min(extent, Self.limit) ~= length, window == nil || window?.type.shape == [length] else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: input.name,
                expected: "a step, and a frame_length of the window's length within the signal",
                found: "\(step), \(length)")
        }
        try checkLength(length, tensor: input.name)
        let starts = Array(stride(from: 0, through: extent - length, by: step))
        return (starts, FourierTransform.Form(length: length, isInverse: false, isOneSided: isOneSided))
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let type = try node.input(inputs, 0).type
        if isShortTime {
            let (starts, form) = try frames(inputs: inputs)
            try node.checkOneElementType([inputs[0], node.optional(inputs, 2)])
            let extents = [type.shape[0], starts.count, form.output.count, form.output.parts]
            return [ValueType(type.elementType, try node.moderateShape(extents, tensor: inputs[0]?.name))]
        }
        let (axis, form) = try form(inputs: inputs)
        var extents = type.shape.dimensions
        extents[axis] = form.output.count
        extents[extents.count - 1] = form.output.parts
        return [ValueType(type.elementType, try node.moderateShape(extents, tensor: inputs[0]?.name))]
    }
}
