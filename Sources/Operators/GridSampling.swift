import Nodes
import TensorFunctions
import Tensors

/// GridSample: the input [batch, channels, extents...] sampled at the places of a grid [batch, places..., axes]; output
/// [batch, channels, places...].
public struct GridSampling: Operator {
    public static let opTypes = ["GridSample"]

    let node: Node
    package let sampler: GridSampler

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...2)
        var attributes = AttributeReader(node)
        let mode = try attributes.string("mode") ?? "linear"
        let padding = try attributes.string("padding_mode") ?? "zeros"
        let alignsCorners = try attributes.flag("align_corners")
        try attributes.finish()
        // Both namings, before opset 20 and since, say the same.
        let kernels: [String: GridSampler.Kernel] = [
            "nearest": .nearest, "linear": .linear, "bilinear": .linear, "cubic": .cubic, "bicubic": .cubic,
        ]
        guard let kernel = kernels[mode], let padding = GridSampler.Padding(rawValue: padding) else {
            throw GraphError(
                .invalidAttribute, at: node, expected: "a mode and a padding_mode that are known",
                found: "\(mode), \(padding)")
        }
        sampler = GridSampler(kernel, padding: padding, alignsCorners: alignsCorners)
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        // A cubic sample of more axes would be made of thousands of elements.
        let input = try node.input(inputs, 0, rank: 3...5)
        let (shape, rank) = (input.type.shape, input.type.shape.rank)
        let grid = try node.input(inputs, 1, rank: rank...rank)
        let places = grid.type.shape
        guard places[0] == shape[0], places[rank - 1] == rank - 2, grid.type.elementType.isFloatingPoint else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: grid.name,
                expected: "[\(shape[0]), places..., \(rank - 2)] of floats",
                found: "\(places) of \(grid.type.elementType.rawValue)")
        }
        guard !shape.dimensions.dropFirst(2).contains(0) else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: input.name, expected: "elements to sample", found: "\(shape)")
        }
        let extents = shape.dimensions.prefix(2) + places.dimensions.dropFirst().dropLast()
        return [ValueType(input.type.elementType, Shape(Array(extents)))]
    }
}
