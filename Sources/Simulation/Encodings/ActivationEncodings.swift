import Graph
import Quantization
import Tensors

/// Encodings of activations from what was observed.
public enum ActivationEncodings {
    /// One entry per enabled activation quantizer that has seen a finite value or needs none. Tensors that share a quantizer get
    /// the encoding of all their values together, or the one that was given for them. Statistics of constants are taken from the
    /// constants of the graph.
    public static func compute(
        graph: Graph, placement: QuantizerPlacement, statistics: StatisticsSet
    ) -> [String: TensorEncodings] {
        let enabled = placement.activations.filter(\.enabled)
        var groups: [String: TensorStatistics] = [:]
        for quantizer in enabled where quantizer.given == nil {
            let observed: TensorStatistics?
            if quantizer.isConstant {
                observed = graph.constants[quantizer.tensor].map(\.statistics)
            } else {
                observed = statistics.tensors[quantizer.tensor]
            }
            if let observed { groups[quantizer.group, default: TensorStatistics()].merge(observed) }
        }
        var ofGroup: [String: Encoding] = [:]
        var encodings: [String: TensorEncodings] = [:]
        for quantizer in enabled {
            if let given = quantizer.given {
                encodings[quantizer.tensor] = given.encodings
                continue
            }
            guard quantizer.settings.dataType == .int else {
                encodings[quantizer.tensor] = .float16
                continue
            }
            if ofGroup[quantizer.group] == nil, let statistics = groups[quantizer.group] {
                ofGroup[quantizer.group] = quantizer.encoding(for: statistics)
            }
            if let encoding = ofGroup[quantizer.group] { encodings[quantizer.tensor] = TensorEncodings(encoding) }
        }
        return encodings
    }
}

extension PlacedQuantizer {
    /// The encoding of what was observed, with the ends that the constraints name in place of the observed ones.
    func encoding(for statistics: TensorStatistics) -> Encoding? {
        let observed = settings.encoding(for: statistics)
        guard let constraints, let encoding = observed else { return observed }
        // A range without an end of its own is not less than the reference's least.
        return settings.encoding(
            min: constraints.min, max: constraints.max ?? max(encoding.max, constraints.min + 0.01))
    }
}

extension Tensor {
    /// Of a tensor of floating-point elements.
    var statistics: TensorStatistics {
        withFloats { TensorStatistics(observing: $0) }
    }
}
