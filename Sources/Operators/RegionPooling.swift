import Nodes
import TensorFunctions
import Tensors

/// RoiAlign and MaxRoiPool: what is left of each of a grid of bins that a region of an image is cut into. Input [batch,
/// channels, height, width]; output [regions, channels, bins down, bins across].
///
/// RoiAlign takes regions [regions, 4] of left, top, right and bottom, and of which image each is; MaxRoiPool has both
/// in one [regions, 5].
public struct RegionPooling: Operator {
    public static let opTypes = ["RoiAlign", "MaxRoiPool"]

    package let node: Node
    package let pooling: RegionBins
    /// Whether regions are sampled between elements; else whole elements are taken.
    package var isAligned: Bool { node.opType == "RoiAlign" }

    public init(node: Node, opsetVersion: Int) throws {
        let isAligned = node.opType == "RoiAlign"
        try node.checkArity(inputs: isAligned ? 3...3 : 2...2)
        var attributes = AttributeReader(node)
        let scale = try attributes.float("spatial_scale", default: 1)
        let bins: [Int]
        var (samples, mode, transformation) = (0, "max", "output_half_pixel")
        if isAligned {
            bins = [try attributes.int("output_height", default: 1), try attributes.int("output_width", default: 1)]
            samples = try attributes.int("sampling_ratio", default: 0)
            mode = try attributes.string("mode") ?? "avg"
            if opsetVersion >= 16 {
                transformation = try attributes.string("coordinate_transformation_mode") ?? "half_pixel"
            }
        } else {
            bins = try attributes.ints("pooled_shape") ?? []
        }
        try attributes.finish()
        guard bins.count == 2, bins.allSatisfy({ 1...RegionBins.limit ~= $0 }), 0...RegionBins.limit ~= samples,
            ["avg", "max"].contains(mode), ["half_pixel", "output_half_pixel"].contains(transformation),
            scale.isFinite
        else {
            throw GraphError(
                .invalidAttribute, at: node,
                expected: "bins and samples up to \(RegionBins.limit), modes that are known and a finite scale",
                found: "\(bins), \(samples), \(mode), \(transformation), \(scale)")
        }
        pooling = RegionBins(
            rows: bins[0], columns: bins[1], samples: samples, scale: scale,
            isShiftedByHalf: transformation == "half_pixel", takesMaximum: mode == "max")
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let image = try node.input(inputs, 0, rank: 4...4).type
        let regions = try node.input(inputs, 1, rank: 2...2)
        let count = regions.type.shape[0]
        guard regions.type == ValueType(image.elementType, [count, isAligned ? 4 : 5]),
            image.elementType.isFloatingPoint
        else {
            throw GraphError(
                .shapeMismatch, at: node, tensor: regions.name,
                expected: "[regions, \(isAligned ? 4 : 5)] of the image's floating-point type",
                found: "\(regions.type.shape) of \(regions.type.elementType.rawValue)")
        }
        if isAligned {
            let entries = try node.input(inputs, 2)
            guard entries.type == ValueType(.int64, [count]) else {
                throw GraphError(
                    .shapeMismatch, at: node, tensor: entries.name, expected: "int64 [\(count)]",
                    found: "\(entries.type.elementType.rawValue) \(entries.type.shape)")
            }
        }
        let output = try node.moderateShape(
            [count, image.shape[1], pooling.rows, pooling.columns], tensor: regions.name)
        return [ValueType(image.elementType, output)]
    }
}
