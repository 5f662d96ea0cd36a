import Quantization
import Support
import Tensors

/// What is done to a layer's parameters when the moments of its inputs are known, in the order of the cases.
public enum LayerTechnique: String, CaseIterable, Sendable, Codable {
    /// Ranges of weights that make the least error of the outputs.
    case sequentialMSE
    /// Weights rounded so that outputs change least.
    case adaptiveRounding
    /// Biases that take up the mean error.
    case biasCorrection
}

/// A layer's parameters as techniques leave them.
public struct ReconstructedLayer: Sendable {
    /// Quantized and dequantized where they were rounded here, else as they were.
    public var weight: Tensor
    public var encodings: TensorEncodings
    /// Nil where the layer had none and needs none.
    public var bias: [Float]?
    /// Signal to noise ratio of the quantized layer's outputs in dB, biases left out: with weights rounded to the nearest points
    /// of the former encodings, and as it is now.
    public var before: Double
    public var after: Double
}

extension ProductLayer {
    /// Applies techniques to the layer.
    /// - Parameters:
    ///   - weight: full resolution.
    ///   - encodings: of the weight: one, or one for each output.
    ///   - settings: that these are of.
    /// - Returns: nil where the encodings are of blocks, or no grids.
    public func reconstructed(
        _ weight: Tensor, bias: [Float]?, _ encodings: TensorEncodings, settings: QuantizerSettings,
        by techniques: Set<LayerTechnique>, _ moments: InputMoments
    ) -> ReconstructedLayer? {
        guard encodings.dataType == .int, encodings.blocks == nil,
            encodings.encodings.count == 1 || encodings.axis == outputAxis && encodings.encodings.count == outputs
        else { return nil }
        let rows = rows(of: weight)
        var encodings = encodings
        let error = OutputError(self, moments)
        let nearest = rounded(rows, encodings)
        if techniques.contains(.sequentialMSE) {
            encodings = ScaleSearch(layer: self, settings: settings, error: error).best(for: rows, encodings)
        }
        let freesBias = techniques.contains(.biasCorrection) && takesBias
        var result = techniques.contains(.sequentialMSE) ? rounded(rows, encodings) : nearest
        if techniques.contains(.adaptiveRounding) {
            result = searched(rows, encodings, moments, freesBias: freesBias)
        }
        var corrected = bias
        if freesBias {
            var sum = bias ?? [Float](repeating: 0, count: outputs)
            for output in 0..<outputs { sum[output] = Float(Double(sum[output]) + error.mean(of: result, output)) }
            corrected = sum
        }
        return ReconstructedLayer(
            weight: techniques.contains(.adaptiveRounding) ? self.weight(rows: result, shape: weight.shape) : weight,
            encodings: encodings, bias: corrected, before: error.signalToNoise(of: nearest, freesBias: false),
            after: error.signalToNoise(of: result, freesBias: freesBias))
    }

    func encoding(_ encodings: TensorEncodings, ofOutput output: Int) -> Encoding {
        encodings.encodings.count == 1 ? encodings.encodings[0] : encodings.encodings[output]
    }

    /// All weights at their nearest grid points.
    func rounded(_ rows: [Float], _ encodings: TensorEncodings) -> [Float] {
        rows.indices.map { encoding(encodings, ofOutput: $0 / inputs).nearest(to: rows[$0]) }
    }

    private func searched(
        _ rows: [Float], _ encodings: TensorEncodings, _ moments: InputMoments, freesBias: Bool
    ) -> [Float] {
        (0..<groups).flatMap { group in
            let search = RoundingSearch(moments, group: group, freesBias: freesBias)
            let own = group * outputsPerGroup..<(group + 1) * outputsPerGroup
            return Array(own).concurrentMap { output in
                let place = output - own.lowerBound
                let mean = moments.outputMeans[output]
                let products = (0..<inputs).map { input in
                    moments.cross[group][input * outputsPerGroup + place]
                        - (freesBias ? moments.means[group][input] * mean : 0)
                }
                return search.rounded(
                    Array(rows[output * inputs..<(output + 1) * inputs]), to: encoding(encodings, ofOutput: output),
                    products: products)
            }.flatMap(\.self)
        }
    }
}
