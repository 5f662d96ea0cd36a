import Foundation
import Simulation
import Support

/// What each quantizer does to the output of a model, and what is known of the values it rounds: `analysis.json`.
package struct AnalysisReport: Codable, Equatable, Sendable {
    /// A reader of version n understands every analysis of version n.
    package static let formatVersion = 1

    /// Version of this file's format.
    package var version = formatVersion
    /// Samples that counted, and bad ones that were passed over.
    package var samples: Int
    /// Bad samples that were passed over.
    package var skipped: Int
    /// The section of the job file that the samples are of.
    package var dataset: String
    /// The FP32 model, beside itself.
    package var fp32: Effect
    /// All quantizers on.
    package var quantized: Effect
    /// The quantizers of parameters on.
    package var parametersOnly: Effect
    /// The quantizers of activations on.
    package var activationsOnly: Effect
    /// Activations in the order of the graph, then parameters.
    package var quantizers: [Quantizer]
    /// In the same order, each tensor that is rounded.
    package var tensors: [TensorSummary]

    enum CodingKeys: String, CodingKey {
        case version, samples, skipped, dataset, fp32, quantized, quantizers, tensors
        case parametersOnly = "parameters_only"
        case activationsOnly = "activations_only"
    }

    /// A form of the model beside the FP32 model.
    package struct Effect: Codable, Equatable, Sendable {
        /// Percent; nil where samples lack labels.
        package var top1: Double?
        /// Of the evaluated output, in dB; nil where it is that of the FP32 model to the bit (then the error is 0), and where
        /// that is zero.
        package var sqnr: Double?
        /// Mean squared error of the evaluated output.
        package var meanSquaredError: Double?
        /// Pairs of elements left out for NaN or infinity.
        package var leftOut: Int

        enum CodingKeys: String, CodingKey {
            case top1, sqnr = "sqnr_db"
            case meanSquaredError = "mse"
            case leftOut = "left_out"
        }

        package init(top1: Double?, sqnr: Double?, meanSquaredError: Double?, leftOut: Int) {
            self.top1 = top1
            self.sqnr = sqnr
            self.meanSquaredError = meanSquaredError
            self.leftOut = leftOut
        }
    }

    /// A quantizer and what it does to the output.
    package struct Quantizer: Codable, Equatable, Sendable {
        /// The tensor that it is named after: the first that it rounds.
        package var tensor: String
        /// What its tensors are to the graph.
        package var role: PlacedQuantizer.Role
        /// All that share it.
        package var tensors: [String]
        /// 16 for half precision.
        package var bitwidth: Int
        /// It alone is on, everything else FP32.
        package var on: Effect
        /// It alone is off, everything else quantized.
        package var off: Effect

        package init(
            tensor: String, role: PlacedQuantizer.Role, tensors: [String], bitwidth: Int, on: Effect, off: Effect
        ) {
            self.tensor = tensor
            self.role = role
            self.tensors = tensors
            self.bitwidth = bitwidth
            self.on = on
            self.off = off
        }
    }

    package init(
        samples: Int, skipped: Int, dataset: String, fp32: Effect, quantized: Effect, parametersOnly: Effect,
        activationsOnly: Effect, quantizers: [Quantizer], tensors: [TensorSummary]
    ) {
        self.samples = samples
        self.skipped = skipped
        self.dataset = dataset
        self.fp32 = fp32
        self.quantized = quantized
        self.parametersOnly = parametersOnly
        self.activationsOnly = activationsOnly
        self.quantizers = quantizers
        self.tensors = tensors
    }

    /// Keys sorted, so that equal analyses are equal bytes.
    package func json() throws -> Data { try stableJSONFile() }

    /// Most sensitive first: by the noise that the quantizer alone brings to the output; of equal ones the first.
    package var bySensitivity: [Quantizer] {
        func key(_ quantizer: Quantizer) -> Double { quantizer.on.sqnr ?? .infinity }
        return quantizers.enumerated()
            .sorted { (key($0.element), $0.offset) < (key($1.element), $1.offset) }.map(\.element)
    }
}
