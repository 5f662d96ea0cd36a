import Nodes
import TensorFunctions
import Tensors

/// MaxUnpool: the elements of the input, each at the place that a MaxPool found it at, and zero elsewhere.
///
/// Places are numbers among all elements of what the pooling's window covers, which lies at the beginning of a larger
/// output where the third input asks for one.
public struct MaxUnpooling: Operator {
    public static let opTypes = ["MaxUnpool"]

    package let node: Node
    private let window: Window

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...3)
        var attributes = AttributeReader(node)
        window = try Window(node: node, attributes: &attributes, hasCeilMode: false)
        try attributes.finish()
        guard window.kernel != nil, case .explicit = window.padding, window.dilations.allSatisfy({ $0 == 1 }) else {
            throw GraphError(
                .invalidAttribute, at: node, expected: "kernel_shape, strides and pads", found: "others, or none")
        }
        self.node = node
    }

    /// The shape that places are numbered in.
    package func coveredShape(inputs: [OperatorInput?]) throws -> Shape {
        let input = try node.input(inputs, 0, rank: 3...Int.max)
        let (shape, kernel) = (input.type.shape, window.kernel ?? [])
        let mismatch = GraphError(
            .shapeMismatch, at: node, tensor: input.name, expected: "outputs of the window \(kernel)",
            found: "\(shape)")
        guard kernel.count == shape.rank - 2 else { throw mismatch }
        let spatial = Array(shape.dimensions.dropFirst(2))
        let (begin, end) = window.resolvedPadding(input: spatial, kernel: kernel)
        let extents = spatial.indices.map { axis in
            (spatial[axis] - 1) * window.stride(axis) + kernel[axis] - begin[axis] - end[axis]
        }
        guard extents.allSatisfy({ 0...Window.limit ~= $0 }) else { throw mismatch }
        return Shape([shape[0], shape[1]] + extents)
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let (input, places) = (try node.input(inputs, 0), try node.input(inputs, 1))
        guard places.type == ValueType(.int64, input.type.shape) else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: places.name, expected: "int64 \(input.type.shape)",
                found: "\(places.type.elementType) \(places.type.shape)")
        }
        let covered = try coveredShape(inputs: inputs)
        let wanted = try node.constantInts(inputs, 2) ?? covered.dimensions
        guard wanted.count == covered.rank, zip(wanted, covered.dimensions).allSatisfy({ $0 >= $1 }) else {
            throw GraphError(
                .invalidInput, at: node, tensor: node.optional(inputs, 2)?.name, expected: "at least \(covered)",
                found: "\(wanted)")
        }
        let shape = try node.moderateShape(wanted, tensor: node.optional(inputs, 2)?.name ?? input.name)
        return [ValueType(input.type.elementType, shape)]
    }
}
