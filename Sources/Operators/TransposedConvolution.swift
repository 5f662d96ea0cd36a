import Nodes
import Tensors

/// ConvTranspose: what the gradient of a convolution's input is to the gradient of its output. Input [batch, channels,
/// spatial...], weight [channels, features / groups, window...], optional bias [features].
public struct TransposedConvolution: Operator {
    public static let opTypes = ["ConvTranspose"]

    let node: Node
    /// Groups of channels that do not mix; at least one.
    public let groups: Int
    /// Strides, dilations and padding, which takes away from the output.
    public let window: Window
    private let outputPadding: [Int]?
    private let outputShape: [Int]?

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 2...3)
        var attributes = AttributeReader(node)
        groups = try attributes.int("group", default: 1)
        outputPadding = try attributes.ints("output_padding", in: 0...Window.limit)
        outputShape = try attributes.ints("output_shape", in: 1...Window.limit)
        window = try Window(node: node, attributes: &attributes, hasCeilMode: false)
        try attributes.finish()
        guard groups > 0 else {
            throw GraphError(.invalidAttribute, at: node, expected: "group at least 1", found: "\(groups)")
        }
        self.node = node
    }

    /// The output's spatial extents, and what is taken away before and after each of them, by the formulas of the ONNX
    /// specification.
    public func geometry(input: [Int], kernel: [Int]) -> (extents: [Int], begin: [Int], end: [Int]) {
        var (extents, begin, end): ([Int], [Int], [Int]) = ([], [], [])
        for axis in input.indices {
            let full =
                window.stride(axis) * (input[axis] - 1) + (outputPadding?[axis] ?? 0)
                + (kernel[axis] - 1) * window.dilation(axis) + 1
            var wanted = outputShape.map { $0[$0.count - input.count + axis] }
            var puts = (begin: 0, end: 0)
            switch window.padding {
            case .explicit(let first, let last):
                if !first.isEmpty { puts = (first[axis], last[axis]) }
            case .sameUpper, .sameLower: wanted = wanted ?? input[axis] * window.stride(axis)
            case .valid: break
            }
            if let wanted {
                let total = max(full - wanted, 0)
                puts = window.padding == .sameUpper ? (total / 2, total - total / 2) : (total - total / 2, total / 2)
                extents.append(wanted)
            } else {
                extents.append(full - puts.begin - puts.end)
            }
            begin.append(puts.begin)
            end.append(puts.end)
        }
        return (extents, begin, end)
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        try node.checkOneElementType(inputs)
        let input = try node.input(inputs, 0, rank: 3...Int.max)
        let shape = input.type.shape
        let weight = try node.input(inputs, 1, rank: shape.rank...shape.rank)
        guard weight.type.shape[0] == shape[1], shape[1] % groups == 0 else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: weight.name,
                expected: "[\(shape[1]) channels in \(groups) groups, features / groups, window]",
                found: "\(weight.type.shape)")
        }
        let kernel = Array(weight.type.shape.dimensions.dropFirst(2))
        let fits = [outputPadding?.count, outputShape.map { min($0.count, kernel.count) }].allSatisfy {
            $0 == nil || $0 == kernel.count
        }
        guard window.fits(spatialAxes: kernel.count), window.kernel ?? kernel == kernel, fits else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: weight.name, expected: "window \(window.kernel ?? window.strides)",
                found: "\(weight.type.shape)")
        }
        let features = weight.type.shape[1] * groups
        try node.checkPerChannel(inputs, 2, channels: features)
        let extents = geometry(input: Array(shape.dimensions.dropFirst(2)), kernel: kernel).extents
        guard extents.allSatisfy({ $0 > 0 }) else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: input.name, expected: "an output with elements", found: "\(extents)")
        }
        return [ValueType(input.type.elementType, Shape([shape[0], features] + extents))]
    }
}
