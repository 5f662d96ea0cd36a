import Nodes
import TensorFunctions
import Tensors

/// GatherElements: each element of the indices names the element along `axis` that stands at its own place. GatherND: the
/// last axis of the indices holds places in the leading axes of the data, behind the batch axes that both have.
public struct IndexedGather: Operator {
    public static let opTypes = ["GatherElements", "GatherND"]

    package let node: Node
    package let axis: Int
    package let batchAxes: Int

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...2)
        var attributes = AttributeReader(node)
        axis = node.opType == "GatherElements" ? try attributes.int("axis", default: 0) : 0
        batchAxes = node.opType == "GatherND" ? try attributes.int("batch_dims", default: 0) : 0
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let data = try node.input(inputs, 0, rank: 1...Int.max).type
        let indices = try node.input(inputs, 1, rank: 1...Int.max).type.shape
        if node.opType == "GatherElements" {
            _ = try node.resolveAxis(axis, rank: data.shape.rank)
            guard indices.rank == data.shape.rank else {
                throw GraphError(
                    .shapeMismatch, at: node, tensor: inputs[1]?.name, expected: "rank \(data.shape.rank)",
                    found: "\(indices)")
            }
            return [ValueType(data.elementType, indices)]
        }
        let depth = try node.indexDepth(indices, data.shape, batchAxes: batchAxes, tensor: inputs[1]?.name)
        let extents = indices.dimensions.dropLast() + data.shape.dimensions[(batchAxes + depth)...]
        return [ValueType(data.elementType, Shape(Array(extents)))]
    }
}

extension Node {
    /// How many axes of the data each row of GatherND's or ScatterND's indices tells the place along.
    func indexDepth(_ indices: Shape, _ data: Shape, batchAxes: Int = 0, tensor: String?) throws -> Int {
        let depth = indices.dimensions.last ?? 0
        guard batchAxes >= 0, batchAxes < indices.rank, batchAxes + depth <= data.rank,
            indices.dimensions.prefix(batchAxes) == data.dimensions.prefix(batchAxes)
        else {
            throw GraphError(
                .shapeMismatch, at: self, tensor: tensor, expected: "indices of places in \(data)", found: "\(indices)")
        }
        return depth
    }

    /// Where each row of the indices points: the first of the data's elements there, and how many there are.
    package func starts(
        _ picks: [Int], _ indices: Shape, _ data: Shape, batchAxes: Int = 0, tensor: String?
    ) throws -> [(start: Int, count: Int)] {
        let depth = try indexDepth(indices, data, batchAxes: batchAxes, tensor: tensor)
        let strides = data.strides
        let size = data.dimensions[(batchAxes + depth)...].reduce(1, *)
        let rows = indices.dimensions.dropLast().reduce(1, *)
        let batches = data.dimensions.prefix(batchAxes).reduce(1, *)
        let batchSize = data.dimensions.dropFirst(batchAxes).reduce(1, *)
        return try (0..<rows).map { row in
            var start = batches > 0 ? row / max(rows / max(batches, 1), 1) * batchSize : 0
            for place in 0..<depth {
                let axis = batchAxes + place
                start +=
                    try resolveIndex(picks[row * depth + place], extent: data[axis], tensor: tensor) * strides[axis]
            }
            return (start, size)
        }
    }

    /// An index along an axis counted from the front.
    package func resolveIndex(_ index: Int, extent: Int, tensor: String?) throws -> Int {
        guard index >= -extent, index < extent else {
            throw GraphError(
                .invalidInput, at: self, tensor: tensor, expected: "indices in \(-extent)...\(extent - 1)",
                found: "\(index)")
        }
        return index < 0 ? index + extent : index
    }
}
