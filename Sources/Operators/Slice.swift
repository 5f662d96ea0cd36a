import Nodes
import Tensors

/// Slice: along each axis the elements start, start + step, ... Attributes in opset 9, inputs since opset 10.
public struct Slice: Operator {
    /// The elements that are taken along one axis.
    public struct AxisRange: Sendable, Equatable {
        /// Index of the first element.
        public let start: Int
        /// How many elements are taken.
        public let count: Int
        /// Distance of neighbours; negative where the slice runs backwards.
        public let step: Int
    }

    public static let opTypes = ["Slice"]

    let node: Node
    private let attributeBounds: (starts: [Int], ends: [Int], axes: [Int]?)?

    public init(node: Node, opsetVersion: Int) throws {
        var attributes = AttributeReader(node)
        if opsetVersion < 10 {
            try node.checkArity(inputs: 1...1)
            let starts = try attributes.ints("starts")
            let ends = try attributes.ints("ends")
            let axes = try attributes.ints("axes")
            guard let starts, let ends else {
                throw GraphError(.invalidAttribute, at: node, expected: "starts and ends", found: "none")
            }
            attributeBounds = (starts, ends, axes)
        } else {
            try node.checkArity(inputs: 3...5)
            attributeBounds = nil
        }
        try attributes.finish()
        self.node = node
    }

    private func bounds(inputs: [OperatorInput?]) throws -> (starts: [Int], ends: [Int], axes: [Int]?, steps: [Int]?) {
        if let (starts, ends, axes) = attributeBounds { return (starts, ends, axes, nil) }
        return (
            try node.constantInts(inputs, 1) ?? [], try node.constantInts(inputs, 2) ?? [],
            try node.constantInts(inputs, 3), try node.constantInts(inputs, 4)
        )
    }

    /// The bounds along an axis as they are given, before they are clamped to the extent; nil where none are.
    package func givenBounds(along axis: Int, inputs: [OperatorInput?]) throws -> (start: Int, end: Int)? {
        let rank = try node.input(inputs, 0).type.shape.rank
        let bounds = try bounds(inputs: inputs)
        for (index, bound) in zip(bounds.starts, bounds.ends).enumerated() {
            if try node.resolveAxis(bounds.axes?[index] ?? index, rank: rank) == axis { return bound }
        }
        return nil
    }

    /// What is taken along each axis of the input.
    public func ranges(inputs: [OperatorInput?]) throws -> [AxisRange] {
        let shape = try node.input(inputs, 0).type.shape
        let bounds = try bounds(inputs: inputs)
        let steps = bounds.steps
        let axes = try (bounds.axes ?? Array(bounds.starts.indices)).map { try node.resolveAxis($0, rank: shape.rank) }
        let counts = [bounds.starts.count, bounds.ends.count, axes.count, steps?.count ?? axes.count, Set(axes).count]
        guard Set(counts).count == 1, steps?.contains(0) != true else {
            throw GraphError(
                .invalidInput, at: node, expected: "starts, ends, axes and steps of one length, steps not zero",
                found: "\(bounds.starts), \(bounds.ends), \(axes), \(steps ?? [])")
        }
        var ranges = shape.dimensions.map { AxisRange(start: 0, count: $0, step: 1) }
        for (index, axis) in axes.enumerated() {
            ranges[axis] = Self.range(
                start: bounds.starts[index], end: bounds.ends[index], step: steps?[index] ?? 1, extent: shape[axis])
        }
        return ranges
    }

    /// Clamps as numpy does: negative bounds count from the end, bounds outside are moved to the edge.
    private static func range(start: Int, end: Int, step: Int, extent: Int) -> AxisRange {
        let from = start < 0 ? start + extent : start
        let to = end < 0 ? end + extent : end
        if step > 0 {
            let first = min(max(from, 0), extent)
            let last = min(max(to, 0), extent)
            // Any step beyond the extent takes one element; greater ones would overflow as distances in memory.
            let stride = min(step, max(extent, 1))
            return AxisRange(start: first, count: last > first ? (last - first - 1) / stride + 1 : 0, step: stride)
        }
        let first = min(max(from, 0), extent - 1)
        let last = min(max(to, -1), extent - 1)
        // The magnitude of the smallest integer is not an Int.
        let stride = step < -extent ? max(extent, 1) : -step
        return AxisRange(start: max(first, 0), count: first > last ? (first - last - 1) / stride + 1 : 0, step: -stride)
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let type = try node.input(inputs, 0).type
        return [ValueType(type.elementType, Shape(try ranges(inputs: inputs).map(\.count)))]
    }
}
