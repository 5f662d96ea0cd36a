import Nodes
import TensorFunctions
import Tensors

/// Unique: the elements that differ, or the slices along an axis; where each is first, which of them each element of
/// the input is, and how often each comes. What extents the outputs have depends on the elements, which must be
/// constants.
public struct UniqueElements: Operator {
    public static let opTypes = ["Unique"]

    let node: Node
    private let axis: Int?
    private let isSorted: Bool

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 1...1, outputs: 4, needsFirst: false)
        var attributes = AttributeReader(node)
        axis = try attributes.int("axis")
        isSorted = try attributes.flag("sorted", default: true)
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        try values(inputs: inputs).map { ValueType($0.elementType, $0.shape) }
    }

    /// The four outputs.
    package func values(inputs: [OperatorInput?]) throws -> [Tensor] {
        guard let data = try node.constant(inputs, 0) else { return [] }
        // Slices along the axis become rows.
        let place = try axis.map { try node.resolveAxis($0, rank: data.shape.rank) }
        let rows = place.map { AxisRows(data.shape, axis: $0) } ?? AxisRows([data.count], axis: 0)
        let keys = data.orderedKeys
        let byRow = (0..<rows.extent).flatMap { index in
            (0..<rows.count).map { keys[rows.place(row: $0, index)] }
        }
        let distinct = DistinctRows(byRow, rows: rows.extent, width: rows.count, isSorted: isSorted)
        var extents = place == nil ? [data.count] : data.shape.dimensions
        extents[place ?? 0] = distinct.first.count
        let shape = Shape(extents)
        let taken = AxisRows(shape, axis: place ?? 0)
        var sources = [Int](repeating: 0, count: shape.count)
        for (index, row) in distinct.first.enumerated() {
            for line in 0..<taken.count { sources[taken.place(row: line, index)] = rows.place(row: line, row) }
        }
        return [data.picking(sources, shape: shape)]
            + [distinct.first, distinct.kinds, distinct.counts].map { numbers in
                Tensor(shape: [numbers.count], numbers.map { Int64($0) })
            }
    }
}
