import Nodes
import Tensors

/// Operators that give the same elements another shape and move no data: Reshape, Flatten, Squeeze, Unsqueeze, Identity,
/// and Dropout, which passes its input through at inference.
public struct Reshaping: Operator {
    /// How the new shape is found.
    public enum Kind: Sendable, Equatable {
        /// - Parameter allowsZero: a zero in the wanted shape is an extent of zero, not the input's extent.
        case reshape(allowsZero: Bool)
        case flatten(axis: Int)
        /// Axes that are an attribute (before opset 13); nil where they are an input or left out.
        case squeeze(axes: [Int]?)
        case unsqueeze(axes: [Int]?)
        case identity
        case dropout
    }

    public static let opTypes = ["Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity", "Dropout"]

    package let node: Node
    /// How the new shape is found.
    public let kind: Kind

    public init(node: Node, opsetVersion: Int) throws {
        var attributes = AttributeReader(node)
        switch node.opType {
        case "Reshape":
            try node.checkArity(inputs: 2...2)
            kind = .reshape(allowsZero: opsetVersion >= 14 ? try attributes.flag("allowzero") : false)
        case "Flatten":
            try node.checkArity(inputs: 1...1)
            kind = .flatten(axis: try attributes.int("axis", default: 1))
        case "Squeeze":
            try node.checkArity(inputs: 1...(opsetVersion >= 13 ? 2 : 1))
            kind = .squeeze(axes: opsetVersion >= 13 ? nil : try attributes.ints("axes"))
        case "Unsqueeze":
            try node.checkArity(inputs: opsetVersion >= 13 ? 2...2 : 1...1)
            let axes = opsetVersion >= 13 ? nil : try attributes.ints("axes")
            guard opsetVersion >= 13 || axes != nil else {
                throw GraphError(.invalidAttribute, at: node, expected: "axes", found: "none")
            }
            kind = .unsqueeze(axes: axes)
        case "Identity":
            try node.checkArity(inputs: 1...1)
            kind = .identity
        case "Dropout":
            try node.checkArity(inputs: 1...(opsetVersion >= 12 ? 3 : 1), outputs: opsetVersion >= 10 ? 2 : 1)
            attributes.ignore("ratio", "seed")
            kind = .dropout
        default: throw GraphError(.unsupportedOperators, at: node, found: node.opType)
        }
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let input = try node.input(inputs, 0)
        let shape = input.type.shape
        let result: Shape
        switch kind {
        case .identity: result = shape
        case .dropout:
            // Where nothing is dropped training is no other than inference.
            let ratio = node.optional(inputs, 1)?.constant
            let drops = ratio.map { $0.withUnsafeBytes { $0.contains { $0 != 0 } } } ?? true
            if drops, let training = try node.constant(inputs, 2),
                training.withUnsafeBytes({ $0.contains { $0 != 0 } })
            {
                throw GraphError(.invalidInput, at: node, tensor: inputs[2]?.name, expected: "false", found: "true")
            }
            return [input.type, ValueType(.bool, shape)]
        case .flatten(let axis):
            let axis = try node.resolveAxis(axis, rank: shape.rank, inclusive: true)
            let outer = shape.dimensions.prefix(axis).reduce(1, *)
            result = [outer, shape.dimensions.dropFirst(axis).reduce(1, *)]
        case .squeeze(let axes): result = try squeezed(shape, axes: try axes ?? node.constantInts(inputs, 1), input)
        case .unsqueeze(let axes):
            result = try unsqueezed(shape, axes: try axes ?? node.constantInts(inputs, 1) ?? [])
        case .reshape(let allowsZero):
            result = try reshaped(input, to: try node.constantInts(inputs, 1) ?? [], allowsZero: allowsZero)
        }
        return [ValueType(input.type.elementType, result)]
    }

    private func squeezed(_ shape: Shape, axes: [Int]?, _ input: OperatorInput) throws -> Shape {
        guard let axes else { return Shape(shape.dimensions.filter { $0 != 1 }) }
        let dropped = Set(try node.resolveAxes(axes, rank: shape.rank))
        for axis in dropped where shape[axis] != 1 {
            throw GraphError(
                .shapeMismatch, at: node, tensor: input.name, expected: "extent 1 along axis \(axis)",
                found: "\(shape)")
        }
        return Shape(shape.dimensions.indices.filter { !dropped.contains($0) }.map { shape[$0] })
    }

    private func unsqueezed(_ shape: Shape, axes: [Int]) throws -> Shape {
        let rank = shape.rank + axes.count
        let added = Set(try node.resolveAxes(axes, rank: rank))
        var rest = shape.dimensions[...]
        return Shape((0..<rank).map { added.contains($0) ? 1 : rest.removeFirst() })
    }

    private func reshaped(_ input: OperatorInput, to wanted: [Int], allowsZero: Bool) throws -> Shape {
        let shape = input.type.shape
        // A shape with a fixed batch, baked in by an exporter, ends here when the batch is another one.
        let mismatch = GraphError(
            .shapeMismatch, at: node, tensor: input.name, expected: "\(wanted)", found: "\(shape)")
        var extents = wanted
        for axis in extents.indices where extents[axis] == 0 && !allowsZero {
            guard axis < shape.rank else { throw mismatch }
            extents[axis] = shape[axis]
        }
        guard extents.allSatisfy({ $0 >= -1 }), extents.filter({ $0 == -1 }).count <= 1 else { throw mismatch }
        var known = 1
        for extent in extents where extent >= 0 {
            let (product, overflow) = known.multipliedReportingOverflow(by: extent)
            guard !overflow else { throw mismatch }
            known = product
        }
        if let free = extents.firstIndex(of: -1) {
            guard known > 0, shape.count % known == 0 else { throw mismatch }
            extents[free] = shape.count / known
            known *= extents[free]
        }
        guard known == shape.count else { throw mismatch }
        return Shape(extents)
    }
}
