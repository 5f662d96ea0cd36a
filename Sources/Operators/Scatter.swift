import Nodes
import TensorFunctions
import Tensors

/// ScatterElements (Scatter before opset 11) and ScatterND: the data with the updates at the places that the indices name.
public struct Scatter: Operator {
    /// What becomes of an element that an update goes to.
    public enum Reduction: String, Sendable {
        case none, add, mul, max, min
    }

    public static let opTypes = ["ScatterElements", "Scatter", "ScatterND"]

    package let node: Node
    package let axis: Int
    /// What becomes of an element that an update goes to.
    public let reduction: Reduction

    package var isOfElements: Bool { node.opType != "ScatterND" }

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 3...3)
        var attributes = AttributeReader(node)
        axis = node.opType == "ScatterND" ? 0 : try attributes.int("axis", default: 0)
        let name = try attributes.string("reduction") ?? "none"
        guard let reduction = Reduction(rawValue: name) else {
            throw GraphError(.invalidAttribute, at: node, expected: "none, add, mul, max or min", found: name)
        }
        self.reduction = reduction
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let data = try node.input(inputs, 0, rank: 1...Int.max).type
        let (indices, updates) = (try node.input(inputs, 1).type.shape, try node.input(inputs, 2).type)
        let expected: Shape
        if isOfElements {
            _ = try node.resolveAxis(axis, rank: data.shape.rank)
            expected = indices
        } else {
            let depth = try node.indexDepth(indices, data.shape, tensor: inputs[1]?.name)
            expected = Shape(Array(indices.dimensions.dropLast() + data.shape.dimensions[depth...]))
        }
        guard updates.shape == expected, !isOfElements || indices.rank == data.shape.rank else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: inputs[2]?.name, expected: "updates of \(expected)",
                found: "\(updates.shape)")
        }
        return [data]
    }

    /// Which element of the data each of the updates goes to, in their order.
    package func targets(inputs: [OperatorInput?]) throws -> [Int] {
        let (data, indices) = (try node.input(inputs, 0).type.shape, try node.input(inputs, 1))
        let picks = try node.constantInts(inputs, 1) ?? []
        guard isOfElements else {
            return try node.starts(picks, indices.type.shape, data, tensor: indices.name)
                .flatMap { $0.start..<$0.start + $0.count }
        }
        let axis = try node.resolveAxis(axis, rank: data.rank)
        var positions: [[Int]] = []
        indices.type.shape.forEachPosition { positions.append($0) }
        return try zip(positions, picks).map { position, pick in
            var place = position
            place[axis] = try node.resolveIndex(pick, extent: data[axis], tensor: indices.name)
            guard zip(place, data.dimensions).allSatisfy({ $0 < $1 }) else {
                throw GraphError(
                    .shapeMismatch, at: node, tensor: indices.name, expected: "indices within \(data)",
                    found: "\(indices.type.shape)")
            }
            return data.place(of: place)
        }
    }
}
