import Nodes
import Tensors

/// Conv: input [batch, channels, spatial...], weight [features, channels / groups, window...], optional bias [features].
public struct Convolution: Operator {
    public static let opTypes = ["Conv"]

    package let node: Node
    /// Groups of channels that do not mix; at least one.
    public let groups: Int
    /// Strides, dilations and padding; the kernel may be left to the weight's shape.
    public let window: Window

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...3)
        var attributes = AttributeReader(node)
        groups = try attributes.int("group", default: 1)
        window = try Window(node: node, attributes: &attributes, hasCeilMode: false)
        try attributes.finish()
        guard groups > 0 else {
            throw GraphError(.invalidAttribute, at: node, expected: "group at least 1", found: "\(groups)")
        }
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        try node.checkOneElementType(inputs)
        let input = try node.input(inputs, 0, rank: 3...Int.max)
        let shape = input.type.shape
        let weight = try node.input(inputs, 1, rank: shape.rank...shape.rank)
        let features = weight.type.shape[0]
        // Channel counts that do not divide by the groups never fit: the weight would need a fraction of a channel.
        guard shape[1] % groups == 0, weight.type.shape[1] == shape[1] / groups, features % groups == 0 else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: weight.name,
                expected: "[features, \(shape[1]) / \(groups) channels, window] with features divisible by \(groups)",
                found: "\(weight.type.shape)")
        }
        let kernel = Array(weight.type.shape.dimensions.dropFirst(2))
        guard window.fits(spatialAxes: kernel.count), window.kernel ?? kernel == kernel else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: weight.name, expected: "window \(window.kernel ?? window.strides)",
                found: "\(weight.type.shape)")
        }
        try node.checkPerChannel(inputs, 2, channels: features)
        let extents = window.outputExtents(input: Array(shape.dimensions.dropFirst(2)), kernel: kernel)
        guard extents.allSatisfy({ $0 > 0 }) else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: input.name, expected: "an input that the window \(kernel) fits into",
                found: "\(shape)")
        }
        return [ValueType(input.type.elementType, Shape([shape[0], features] + extents))]
    }
}
