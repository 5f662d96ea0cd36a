import Nodes
import TensorFunctions
import Tensors

/// Resize and Upsample: a tensor resampled along some of its axes, to sizes or by scales, with a kernel and a way to map indices
/// of the output to places in the input.
public struct Resize: Operator {
    /// What sizes mean where the proportions are to stay.
    enum Proportions: String {
        case stretch, notLarger = "not_larger", notSmaller = "not_smaller"
    }

    public static let opTypes = ["Resize", "Upsample"]

    let node: Node
    package let kernel: AxisResampling.Kernel
    package let transformation: String
    package let excludesOutside, antialiases: Bool
    package let fill: Float
    private let axes: [Int]?
    private let proportions: Proportions
    private let attributeScales: [Float]?
    /// Of the inputs; nil for none. Scales and sizes have been at other places in older sets.
    let roiInput, scalesInput, sizesInput: Int?

    public init(node: Node, opsetVersion: Int) throws {
        var attributes = AttributeReader(node)
        let isUpsample = node.opType == "Upsample"
        switch (isUpsample, opsetVersion) {
        case (true, ..<9): (roiInput, scalesInput, sizesInput) = (nil, nil, nil)
        case (true, _), (false, ..<11): (roiInput, scalesInput, sizesInput) = (nil, 1, nil)
        default: (roiInput, scalesInput, sizesInput) = (1, 2, 3)
        }
        attributeScales = isUpsample && opsetVersion < 9 ? try attributes.floats("scales") : nil
        try node.checkArity(inputs: 1...((sizesInput ?? scalesInput ?? 0) + 1))
        let isOld = isUpsample || opsetVersion < 11
        let mode = try attributes.string("mode") ?? "nearest"
        let rounding = isOld ? "floor" : try attributes.string("nearest_mode") ?? "round_prefer_floor"
        let coefficient = isOld ? -0.75 : try attributes.float("cubic_coeff_a", default: -0.75)
        transformation =
            isOld ? "asymmetric" : try attributes.string("coordinate_transformation_mode") ?? "half_pixel"
        excludesOutside = isOld ? false : try attributes.flag("exclude_outside")
        antialiases = isOld ? false : try attributes.flag("antialias")
        fill = isOld ? 0 : try attributes.float("extrapolation_value", default: 0)
        axes = isOld ? nil : try attributes.ints("axes")
        let policy = isOld ? "stretch" : try attributes.string("keep_aspect_ratio_policy") ?? "stretch"
        guard let nearest = AxisResampling.Rounding(rawValue: rounding), let proportions = Proportions(rawValue: policy)
        else {
            throw GraphError(
                .invalidAttribute, at: node, expected: "a nearest_mode and a keep_aspect_ratio_policy that are known",
                found: "\(rounding), \(policy)")
        }
        self.proportions = proportions
        switch mode {
        case "nearest": kernel = .nearest(nearest)
        case "linear", "bilinear", "trilinear": kernel = .linear
        case "cubic": kernel = .cubic(coefficient: coefficient)
        default:
            throw GraphError(.invalidAttribute, at: node, expected: "mode nearest, linear or cubic", found: mode)
        }
        let known = [
            "half_pixel", "half_pixel_symmetric", "pytorch_half_pixel", "align_corners", "asymmetric",
            "tf_half_pixel_for_nn", "tf_crop_and_resize",
        ]
        guard known.contains(transformation) else {
            throw GraphError(
                .invalidAttribute, at: node, expected: "a coordinate_transformation_mode that is known",
                found: transformation)
        }
        try attributes.finish()
        self.node = node
    }

    /// Extents beyond this are refused: each index has weights of its own.
    private static let limit = 1 << 20

    /// An axis that is resampled.
    package struct Axis {
        package var axis, input, output: Int
        package var scale: Double
        /// First and last place, as parts of the input; of tf_crop_and_resize.
        package var region: (start: Double, end: Double)
    }

    /// The axes that are resampled, in order.
    package func resampledAxes(inputs: [OperatorInput?]) throws -> [Axis] {
        let shape = try node.input(inputs, 0).type.shape
        let named = try (axes ?? Array(0..<shape.rank)).map { try node.resolveAxis($0, rank: shape.rank) }
        func numbers(_ index: Int?) throws -> [Double]? {
            guard let index, let tensor = try node.constant(inputs, index), tensor.count > 0 else { return nil }
            return tensor.converted(to: .float64).elements(as: Double.self)
        }
        var sizes = try numbers(sizesInput)
        var scales = try numbers(scalesInput) ?? attributeScales?.map(Double.init)
        if let wanted = sizes, wanted.count == named.count, proportions != .stretch {
            let factors = zip(wanted, named).map { $0 / Double(max(shape[$1], 1)) }
            let factor = (proportions == .notLarger ? factors.min() : factors.max()) ?? 1
            scales = named.map { _ in factor }
            sizes = named.map { (factor * Double(shape[$0])).rounded() }
        } else if sizes != nil {
            scales = nil
        }
        let given = sizes ?? scales ?? []
        let bound = Double(Window.limit)
        guard given.count == named.count, given.allSatisfy({ $0 > 0 && $0 <= bound }) else {
            throw GraphError(
                .invalidInput, at: node, tensor: node.optional(inputs, sizesInput ?? scalesInput ?? 0)?.name,
                expected: "scales or sizes for \(named.count) axes", found: "\(given)")
        }
        let region = transformation == "tf_crop_and_resize" ? try numbers(roiInput) : nil
        guard transformation != "tf_crop_and_resize" || region?.count == 2 * named.count else {
            throw GraphError(
                .invalidInput, at: node, tensor: roiInput.flatMap { node.optional(inputs, $0)?.name },
                expected: "a start and an end for \(named.count) axes", found: "\(region?.count ?? 0)")
        }
        return try named.enumerated().map { place, axis in
            let size = sizes?[place] ?? (scales.map { ($0[place] * Double(shape[axis])).rounded(.down) } ?? 0)
            guard let output = Int(exactly: size), output <= Self.limit else {
                throw GraphError(
                    .invalidInput, at: node, expected: "whole sizes up to \(Self.limit)", found: "\(size)")
            }
            return Axis(
                axis: axis, input: shape[axis], output: output,
                scale: scales?[place] ?? Double(output) / Double(max(shape[axis], 1)),
                region: region.map { ($0[place], $0[place + named.count]) } ?? (0, 1))
        }
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let input = try node.input(inputs, 0)
        var extents = input.type.shape.dimensions
        for axis in try resampledAxes(inputs: inputs) {
            guard axis.input > 0 || axis.output == 0 else {
                throw GraphError(
                    .shapeMismatch, at: node, tensor: input.name, expected: "elements to resample",
                    found: "\(input.type.shape)")
            }
            extents[axis.axis] = axis.output
        }
        return [ValueType(input.type.elementType, Shape(extents))]
    }
}
