import Graph
import Quantization
import Support
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
                compute(
                    $0, shape: constant.shape, settings: quantizer.settings, channelAxis: quantizer.channelAxis,
                    blocks: quantizer.blocks, quantizer.encoding)
            }
            constant.letGoOfPages()
        }
        return encodings
    }

    /// The encodings of one parameter; nil where there are none, as for a channel without any finite value.
    /// - Parameters:
    ///   - elements: [shape], row-major
    ///   - blocks: of a parameter with a channel axis; along an axis that is known.
    public static func compute(
        _ elements: UnsafeBufferPointer<Float>, shape: Shape, settings: QuantizerSettings, channelAxis: Int?,
        blocks: Blocks?
    ) -> TensorEncodings? {
        compute(
            elements, shape: shape, settings: settings, channelAxis: channelAxis, blocks: blocks, settings.encoding)
    }

    private static func compute(
        _ elements: UnsafeBufferPointer<Float>, shape: Shape, settings: QuantizerSettings, channelAxis: Int?,
        blocks: Blocks?, _ encoding: @Sendable (TensorStatistics) -> Encoding?
    ) -> TensorEncodings? {
        guard settings.dataType == .int else { return .float16 }
        var grids = [Int](repeating: 1, count: shape.rank)
        if let channelAxis { grids[channelAxis] = shape[channelAxis] }
        if let blocks {
            guard let axis = blocks.axis else { preconditionFailure("blocks along an axis that is not known") }
            grids[axis] = shape[axis] / blocks.size
        }
        let statistics = GridRuns(shape: shape, grids: grids).statistics(of: elements)
        let computed = statistics.concurrentMap(encoding).compactMap(\.self)
        guard computed.count == statistics.count, !computed.isEmpty else { return nil }
        return TensorEncodings(
            encodings: computed, axis: channelAxis, blocks: blocks, blockGrids: blocks.map { _ in grids })
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
            graph.constants[name] = quantizer.appliedWhenRead(to: constant)
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
