import Nodes
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
        let numbers = try numbers(inputs: inputs)
        return [ValueType(target, try node.moderateShape([numbers.length / 2 + 1, numbers.bands], tensor: nil))]
    }

    private func numbers(
        inputs: [OperatorInput?]
    ) throws -> (bands: Int, length: Int, rate: Int, lower: Double, upper: Double) {
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
        return (counts[0], counts[1], counts[2], edges[0], edges[1])
    }

    /// The matrix, row-major.
    /// - Throws: `GraphError` where a band ends behind the spectrum.
    package func weights(inputs: [OperatorInput?]) throws -> [Double] {
        let numbers = try numbers(inputs: inputs)
        func mel(_ hertz: Double) -> Double { 2595 * logarithmOfOnePlus(hertz / 700) / logarithm(10) }
        let (low, high) = (mel(numbers.lower), mel(numbers.upper))
        let step = (high - low) / Double(numbers.bands + 2)
        let places = (0..<numbers.bands + 2).map { index in
            let hertz = 700 * (exponential((low + Double(index) * step) / 2595 * logarithm(10)) - 1)
            return (Double(numbers.length + 1) * hertz / Double(numbers.rate)).rounded(.down)
        }
        let bins = numbers.length / 2 + 1
        guard places.allSatisfy({ $0 < Double(bins) }) else {
            throw GraphError(
                .invalidInput, at: node, expected: "bands within a spectrum of \(bins) bins",
                found: "\(numbers.upper) hertz")
        }
        let edges = places.map { Int($0) }
        var matrix = [Double](repeating: 0, count: bins * numbers.bands)
        for band in 0..<numbers.bands {
            let (left, center, right) = (edges[band], edges[band + 1], edges[band + 2])
            if left == center { matrix[center * numbers.bands + band] = 1 }
            for bin in left..<max(center + 1, left) where left < center {
                matrix[bin * numbers.bands + band] = Double(bin - left) / Double(center - left)
            }
            for bin in center..<max(right, center) {
                matrix[bin * numbers.bands + band] = Double(right - bin) / Double(right - center)
            }
        }
        return matrix
    }
}
