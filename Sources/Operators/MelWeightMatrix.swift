import Nodes
import TensorFunctions
import Tensors

/// MelWeightMatrix: how a spectrum [bins] becomes bands of the mel scale, triangles that overlap; output [bins, bands].
/// Only for constants.
///
/// Inputs: how many bands, the length of the transform, samples in a second, and the lower and upper edge in hertz.
public struct MelWeightMatrix: Operator {
    public static let opTypes = ["MelWeightMatrix"]

    let node: Node
    private let target: ElementType

    public init(node: Node, opsetVersion: Int) throws {
        try node.checkArity(inputs: 5...5)
        var attributes = AttributeReader(node)
        target = try attributes.numberType("output_datatype")
        try attributes.finish()
        self.node = node
    }

    public func outputTypes(inputs: [OperatorInput?]) throws -> [ValueType] {
        let bands = try bands(inputs: inputs)
        return [ValueType(target, try node.moderateShape([bands.bins, bands.bands], tensor: nil))]
    }

    private func bands(inputs: [OperatorInput?]) throws -> MelBands {
        let counts = try (0...2).compactMap { try node.constantInts(inputs, $0)?.first }
        let edges = try (3...4).compactMap { index in
            try node.constant(inputs, index)?.converted(to: .float64).elements(as: Double.self).first
        }
        guard counts.count == 3, edges.count == 2, counts.allSatisfy({ 1...1 << 20 ~= $0 }),
            edges[0] >= 0, edges[0] <= edges[1], edges[1] <= 1e9
        else {
            throw GraphError(
                .invalidInput, at: node, expected: "bands, a length, a rate and two edges in order",
                found: "\(counts), \(edges)")
        }
        return MelBands(bands: counts[0], length: counts[1], rate: counts[2], lower: edges[0], upper: edges[1])
    }

    /// The matrix, row-major.
    /// - Throws: `GraphError` where a band ends behind the spectrum.
    package func weights(inputs: [OperatorInput?]) throws -> [Double] {
        let bands = try bands(inputs: inputs)
        guard let weights = bands.weights else {
            throw GraphError(
                .invalidInput, at: node, expected: "bands within a spectrum of \(bands.bins) bins",
                found: "\(bands.upper) hertz")
        }
        return weights
    }
}
