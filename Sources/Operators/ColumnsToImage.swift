import Nodes
import Tensors

/// Col2Im: blocks, each a column, added up where they lie in an image. Input [batch, channels * block's elements,
/// blocks], then the image's extents and a block's; output [batch, channels, extents...].
public struct ColumnsToImage: Operator {
    public static let opTypes = ["Col2Im"]

    let node: Node
    private let attributes: (strides: [Int]?, dilations: [Int]?, pads: [Int]?)

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 3...3)
        var reader = AttributeReader(node)
        attributes = (
            try reader.ints("strides", in: 1...Window.limit), try reader.ints("dilations", in: 1...Window.limit),
            try reader.ints("pads", in: 0...Window.limit)
        )
        try reader.finish()
        self.node = node
    }

    /// The extents of the image, and the blocks as a window that slides over it.
    package func layout(inputs: [OperatorInput?]) throws -> (image: [Int], window: Window) {
        let (image, block) = (try node.constantInts(inputs, 1) ?? [], try node.constantInts(inputs, 2) ?? [])
        let axes = image.count
        let ones = [Int](repeating: 1, count: axes)
        let pads = attributes.pads ?? [Int](repeating: 0, count: 2 * axes)
        let (strides, dilations) = (attributes.strides ?? ones, attributes.dilations ?? ones)
        guard axes > 0, block.count == axes, strides.count == axes, dilations.count == axes, pads.count == 2 * axes,
            (image + block).allSatisfy({ 1...Window.limit ~= $0 })
        else {
            throw GraphError(
                .invalidInput, at: node, tensor: node.optional(inputs, 2)?.name,
                expected: "extents of an image and of a block, and attributes for the same axes",
                found: "\(image), \(block), \(strides), \(dilations), \(pads)")
        }
        let padding = Window.Padding.explicit(begin: Array(pads[..<axes]), end: Array(pads[axes...]))
        return (
            image,
            Window(kernel: block, strides: strides, dilations: dilations, padding: padding, ceilMode: false)
        )
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let input = try node.input(inputs, 0, rank: 3...3)
        let (image, window) = try layout(inputs: inputs)
        let (shape, block) = (input.type.shape, window.kernel ?? [])
        // Counted down from what there is, so that no product overflows.
        var (channels, columns) = (shape[1], shape[2])
        for (extent, count) in zip(block, window.outputExtents(input: image, kernel: block)) {
            guard channels % extent == 0, count > 0, columns % count == 0 else { channels = 0; break }
            (channels, columns) = (channels / extent, columns / count)
        }
        guard channels > 0, columns == 1 else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: input.name, expected: "blocks \(block) of an image \(image)",
                found: "\(shape)")
        }
        let output = try node.moderateShape([shape[0], channels] + image, tensor: node.optional(inputs, 1)?.name)
        return [ValueType(input.type.elementType, output)]
    }
}
