import Foundation
import Quantization
import Simulation
import Tensors

extension AnalysisReport {
    /// A tensor that is rounded: its values in FP32, the range of its encoding, and how far it is from FP32.
    package struct TensorSummary: Codable, Equatable, Sendable {
        /// The ONNX tensor name.
        package var tensor: String
        /// What the tensor is to the graph.
        package var role: PlacedQuantizer.Role
        /// What the target holds its values as.
        package var dataType: DataType
        /// 16 for half precision.
        package var bitwidth: Int
        /// Of an activation, between its values in the quantized model and in the FP32 model, over the analyzed samples; of a
        /// constant, between its rounded elements and its own.
        package var meanSquaredError: Double?
        /// In dB; nil where there is no noise, or no signal.
        package var sqnr: Double?
        /// Pairs of elements left out for NaN or infinity.
        package var leftOut: Int
        /// The least and greatest finite value: of activations over calibration.
        package var min: Float?
        /// The greatest finite value; nil where there is none.
        package var max: Float?
        /// Ends of the grid, over all channels where each has its own; nil where there is none, as for half precision.
        package var encodingMin: Double?
        /// As `encodingMin`, the upper end.
        package var encodingMax: Double?
        /// One entry per channel, where channels have encodings of their own; of a channel in blocks, the ends of them all.
        package var channels: Channels?
        /// Of the FP32 values; nil where none is finite and other than zero.
        package var histogram: Bins?

        enum CodingKeys: String, CodingKey {
            case tensor, role
            case dataType = "dtype"
            case bitwidth, min, max, channels, histogram
            case meanSquaredError = "mse"
            case sqnr = "sqnr_db"
            case leftOut = "left_out"
            case encodingMin = "encoding_min"
            case encodingMax = "encoding_max"
        }

        /// Ranges by channel, one element per index of the axis.
        package struct Channels: Codable, Equatable, Sendable {
            /// Of the channels, from the front.
            package var axis: Int
            /// The least finite values; nil where a channel has none.
            package var min: [Float?]
            /// The greatest finite values; nil where a channel has none.
            package var max: [Float?]
            /// The least grid points.
            package var encodingMin: [Double]
            /// The greatest grid points.
            package var encodingMax: [Double]

            enum CodingKeys: String, CodingKey {
                case axis, min, max
                case encodingMin = "encoding_min"
                case encodingMax = "encoding_max"
            }
        }

        /// Counts of values other than zero in bins of one width.
        package struct Bins: Codable, Equatable, Sendable {
            /// The lower edge of the first bin.
            package var start: Double
            /// Of each bin, in the unit of the values.
            package var width: Double
            /// Values in each bin, at most `limit` bins.
            package var counts: [UInt64]
            /// Values that are zero.
            package var zeros: UInt64

            /// Bins at most: more than a plot can show apart.
            package static let limit = 128

            /// - Returns: nil where there is no finite value other than zero.
            package init?(_ statistics: TensorStatistics) {
                guard var histogram = statistics.histogram else { return nil }
                while histogram.counts.count > Self.limit {
                    histogram = histogram.coarsened(to: histogram.exponent + 1)
                }
                start = histogram.lowerEdge(0)
                (width, counts, zeros) = (histogram.binWidth, histogram.counts, statistics.zeroCount)
            }
        }

        /// From `encodingMin` to `encodingMax`.
        package var encodingRange: ClosedRange<Double>? {
            guard let encodingMin, let encodingMax, encodingMin <= encodingMax else { return nil }
            return encodingMin...encodingMax
        }

        /// - Parameter noise: nil where nothing was compared.
        package init(
            _ tensor: String, _ role: PlacedQuantizer.Role, _ encodings: TensorEncodings,
            _ statistics: TensorStatistics, noise: NoiseStatistics?
        ) {
            (self.tensor, self.role) = (tensor, role)
            (dataType, bitwidth) = (encodings.dataType, encodings.bitwidth)
            (meanSquaredError, sqnr) = (noise?.meanSquaredError, noise?.signalToNoise)
            leftOut = noise?.leftOut ?? 0
            (min, max) = (statistics.minimum, statistics.maximum)
            encodingMin = encodings.encodings.map(\.min).min()
            encodingMax = encodings.encodings.map(\.max).max()
            histogram = Bins(statistics)
        }

        /// Of a constant.
        package init(
            _ tensor: String, _ role: PlacedQuantizer.Role, _ encodings: TensorEncodings, constant: Tensor
        ) throws {
            let rounded = try FakeQuantizer(encodings, shape: constant.shape).applied(to: constant)
            var noise = NoiseStatistics()
            var statistics = TensorStatistics()
            constant.withUnsafeElements(as: Float.self) { elements in
                statistics = TensorStatistics(observing: elements)
                rounded.withUnsafeElements(as: Float.self) { noise.add($0, comparedWith: elements) }
            }
            self.init(tensor, role, encodings, statistics, noise: noise)
            guard let axis = encodings.axis else { return }
            var channelCounts = [Int](repeating: 1, count: constant.shape.rank)
            channelCounts[axis] = constant.shape[axis]
            let runs = GridRuns(shape: constant.shape, grids: channelCounts)
            let parts = constant.withUnsafeElements(as: Float.self, runs.statistics)
            let grids = encodings.ofChannels
            channels = Channels(
                axis: axis, min: parts.map(\.minimum), max: parts.map(\.maximum),
                encodingMin: grids.map { $0.map(\.min).min() ?? 0 },
                encodingMax: grids.map { $0.map(\.max).max() ?? 0 })
        }
    }
}
