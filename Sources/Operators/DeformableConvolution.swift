import Nodes
import TensorFunctions
import Tensors

/// DeformConv: a convolution of images whose window's elements are each moved by an offset, and weighted by a mask, of
/// their own.
///
/// Inputs: X [batch, channels, height, width], W [features, channels / groups, window], offsets [batch, 2 * offset
/// groups * window's elements, outputs], optional bias [features] and mask [batch, offset groups * window's elements,
/// outputs].
public struct DeformableConvolution: Operator {
    public static let opTypes = ["DeformConv"]

    let node: Node
    /// Groups of channels that do not mix, and groups that have offsets of their own.
    package let groups, offsetGroups: Int
    package let window: Window

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 3...5)
        var attributes = AttributeReader(node)
        groups = try attributes.int("group", default: 1)
        offsetGroups = try attributes.int("offset_group", default: 1)
        window = try Window(node: node, attributes: &attributes, hasCeilMode: false)
        try attributes.finish()
        guard groups > 0, offsetGroups > 0 else {
            throw GraphError(
                .invalidAttribute, at: node, expected: "group and offset_group at least 1",
                found: "\(groups), \(offsetGroups)")
        }
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        try node.checkOneElementType(inputs)
        let input = try node.input(inputs, 0, rank: 4...4)
        let weight = try node.input(inputs, 1, rank: 4...4)
        let (shape, kernels) = (input.type.shape, weight.type.shape)
        let kernel = Array(kernels.dimensions.dropFirst(2))
        guard shape[1] % groups == 0, kernels[1] == shape[1] / groups, kernels[0] % groups == 0,
            shape[1] % offsetGroups == 0, window.fits(spatialAxes: 2), window.kernel ?? kernel == kernel,
            !kernel.contains(0), input.type.elementType.isFloatingPoint
        else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: weight.name,
                expected:
                    "[features, \(shape[1]) / \(groups) channels, window] of floats for \(offsetGroups) offset groups",
                found: "\(kernels)")
        }
        try node.checkPerChannel(inputs, 3, channels: kernels[0])
        let extents = window.outputExtents(input: Array(shape.dimensions.dropFirst(2)), kernel: kernel)
        guard extents.allSatisfy({ $0 > 0 }) else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: input.name, expected: "an input that the window \(kernel) fits into",
                found: "\(shape)")
        }
        // At most one entry for each element of the weight and group: no product overflows.
        let (entries, overflow) = offsetGroups.multipliedReportingOverflow(by: kernel[0] * kernel[1])
        for (index, factor) in [(2, 2), (4, 1)] {
            guard let operand = node.optional(inputs, index) else { continue }
            guard !overflow, entries <= Window.limit,
                operand.type.shape == Shape([shape[0], factor * entries] + extents)
            else {
                throw GraphError(
                    .shapeMismatch, at: node, tensor: operand.name,
                    expected: "[\(shape[0]), \(factor) * \(offsetGroups) * window \(kernel), \(extents)]",
                    found: "\(operand.type.shape)")
            }
        }
        return [ValueType(input.type.elementType, Shape([shape[0], kernels[0]] + extents))]
    }
}
