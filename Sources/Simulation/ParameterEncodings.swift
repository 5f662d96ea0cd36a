import Graph
import Quantization
import Tensors

/// Encodings of parameters, which are known without samples.
public enum ParameterEncodings {
    /// One entry per enabled parameter quantizer.
    public static func compute(graph: Graph, placement: QuantizerPlacement) -> [String: TensorEncodings] {
        var encodings: [String: TensorEncodings] = [:]
        for quantizer in placement.parameters where quantizer.enabled {
            if let given = quantizer.given {
                encodings[quantizer.tensor] = given.encodings
                continue
            }
            guard let constant = graph.constants[quantizer.tensor] else { continue }
            encodings[quantizer.tensor] = constant.withFloats {
                compute($0, shape: constant.shape, channelAxis: quantizer.channelAxis, quantizer.encoding)
            }
        }
        return encodings
    }

    /// The encodings of one parameter; nil where there are none, as for a channel without any finite value.
    /// - Parameter elements: [shape], row-major
    public static func compute(
        _ elements: UnsafeBufferPointer<Float>, shape: Shape, settings: QuantizerSettings, channelAxis: Int?
    ) -> TensorEncodings? {
        compute(elements, shape: shape, channelAxis: channelAxis, settings.encoding)
    }

    private static func compute(
        _ elements: UnsafeBufferPointer<Float>, shape: Shape, channelAxis: Int?,
        _ encoding: (TensorStatistics) -> Encoding?
    ) -> TensorEncodings? {
        let statistics = channelStatistics(elements, shape: shape, axis: channelAxis)
        let computed = statistics.compactMap(encoding)
        guard computed.count == statistics.count, !computed.isEmpty else { return nil }
        return TensorEncodings(encodings: computed, axis: channelAxis)
    }

    /// - Parameter elements: [shape], row-major
    /// - Returns: one per channel along `axis`, or one.
    private static func channelStatistics(
        _ elements: UnsafeBufferPointer<Float>, shape: Shape, axis: Int?
    ) -> [TensorStatistics] {
        guard let axis else { return [TensorStatistics(observing: elements)] }
        let inner = shape.dimensions[(axis + 1)...].reduce(1, *)
        let rows = shape.dimensions[..<axis].reduce(1, *)
        guard let start = elements.baseAddress else { return [] }
        let observer = Observer()
        return (0..<shape[axis]).map { channel in
            observer.reset()
            for row in 0..<rows {
                observer.observe(start + (row * shape[axis] + channel) * inner, count: inner)
            }
            return observer.statistics()
        }
    }
}

extension Graph {
    /// The graph with its parameters rounded to the grids of their encodings.
    /// - Throws: `QuantizationError` where the encodings of a parameter are not as many as its channels.
    public func simulatingParameters(_ encodings: [String: TensorEncodings]) throws(QuantizationError) -> Graph {
        var graph = self
        for (name, encoding) in encodings {
            guard let constant = constants[name], constant.elementType == .float32 else { continue }
            let quantizer = try FakeQuantizer(encoding, shape: constant.shape)
            graph.constants[name] = quantizer.applied(to: constant)
        }
        return graph
    }
}

extension Tensor {
    /// Calls `body` with the elements as `Float`, converted where they are of another floating-point type.
    func withFloats<Result>(_ body: (UnsafeBufferPointer<Float>) throws -> Result) rethrows -> Result {
        switch elementType {
        case .float64: try elements(as: Double.self).map { Float($0) }.withUnsafeBufferPointer(body)
        case .float32: try withUnsafeElements(as: Float.self, body)
        default: try [Float]().withUnsafeBufferPointer(body)
        }
    }
}
