import Quantization
import Support

/// Chooses the ranges of a layer's weights by the error of its outputs (sequential MSE, as in AIMET): of candidates k/20 of the
/// range of all weights, those with which weights at their nearest grid points make the least error, with inputs from the quantized
/// model. The range that the scheme gave is a candidate too, so that nothing gets worse.
struct ScaleSearch: Sendable {
    private static let candidates = 20

    let layer: ProductLayer
    let settings: QuantizerSettings
    let error: OutputError

    /// - Parameters:
    ///   - rows: [outputs][inputs]
    ///   - encodings: one, or one for each output.
    func best(for rows: [Float], _ encodings: TensorEncodings) -> TensorEncodings {
        let grids = encodings.encodings.indices.map { index -> [Encoding] in
            let own =
                encodings.encodings.count == 1 ? rows[...] : rows[index * layer.inputs..<(index + 1) * layer.inputs]
            let least = Double(own.min() ?? 0)
            let greatest = Double(own.max() ?? 0)
            return [encodings.encodings[index]]
                + (1...Self.candidates).compactMap { step in
                    let part = Double(step) / Double(Self.candidates)
                    return settings.encoding(min: min(least * part, 0), max: max(greatest * part, 0))
                }
        }
        let count = grids.map(\.count).min() ?? 0
        // By output and candidate.
        let errors = Array(0..<layer.outputs).concurrentMap { output in
            (0..<count).map { candidate in
                let grid = grids[encodings.encodings.count == 1 ? 0 : output][candidate]
                let weights = rows[output * layer.inputs..<(output + 1) * layer.inputs].map { grid.nearest(to: $0) }
                return error.form(weights, output)
            }
        }
        func least(_ errors: [Double]) -> Int { errors.indices.reduce(0) { errors[$1] < errors[$0] ? $1 : $0 } }
        if encodings.encodings.count == 1 {
            let sums = (0..<count).map { candidate in errors.reduce(0) { $0 + $1[candidate] } }
            return encodings.replacing([grids[0][least(sums)]])
        }
        return encodings.replacing(zip(grids, errors).map { $0[least($1)] })
    }
}

extension Encoding {
    /// The value on the grid that is nearest.
    func nearest(to value: Float) -> Float {
        let point = (Double(value) / delta).rounded(.toNearestOrEven)
        return Float(Swift.min(Swift.max(point, Double(offset)), Double(offset + steps)) * delta)
    }
}
