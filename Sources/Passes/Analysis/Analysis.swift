import Cluster
import Foundation
import Quantization
import Simulation
import Support

/// Compares forms of the model in which a part of the quantizers is on with the FP32 model.
package struct Analysis: SampleWorkload {
    package typealias Result = AnalysisResult
    /// As in descriptors.
    package static let name = "analysis"

    /// The FP32 model with the encodings of its constants, and the samples' way into it.
    package var pass: PassSpecification
    /// Encodings of what changes with the sample. Those of constants are the pass's parameters.
    package var activations: [String: TensorEncodings]
    /// Those that variants turn on and off; a variant names them by their places here.
    package var quantizers: [AnalysisQuantizer]
    /// Whether predictions are compared with labels.
    package var countsLabels: Bool

    /// Variants that a shard is computed in: the FP32 model is computed once for all of them, and samples are decoded once.
    package static let variantsPerShard = 16

    package init(
        _ pass: PassSpecification, activations: [String: TensorEncodings], quantizers: [AnalysisQuantizer],
        countsLabels: Bool
    ) {
        self.pass = pass
        self.activations = activations
        self.quantizers = quantizers
        self.countsLabels = countsLabels
    }

    /// Each shard of samples once per block of variants.
    package func shards(of samples: sending SampleShards) -> sending AnalysisShards { AnalysisShards(samples, self) }

    /// Variants are made of the FP32 model as shards ask for them.
    package func makeExecutor(_ worker: WorkerContext) throws -> any ShardExecutor {
        try AnalysisExecutor(AnalysisModels(self, worker.graph(pass.model)))
    }

    /// All of them, in a fixed order: results name them by their places in it.
    package var variants: [AnalysisVariant] {
        [.fp32, .quantized, .parametersOnly, .activationsOnly] + quantizers.indices.flatMap { [.on($0), .off($0)] }
    }

    /// Blocks of variants, each of which is computed with every shard of samples.
    package var blockCount: Int {
        (variants.count + Self.variantsPerShard - 1) / Self.variantsPerShard
    }

    /// The variants of a block; the last block may have fewer than others.
    /// - Parameter block: below `blockCount`.
    package func variants(ofBlock block: Int) -> ArraySlice<AnalysisVariant> {
        let variants = variants
        let start = min(block * Self.variantsPerShard, variants.count)
        return variants[start..<min(start + Self.variantsPerShard, variants.count)]
    }

    /// The tensors that are quantized in a variant.
    package func tensors(in variant: AnalysisVariant) -> Set<String> {
        func tensors(_ isOn: (Int, AnalysisQuantizer) -> Bool) -> Set<String> {
            Set(quantizers.enumerated().filter { isOn($0.offset, $0.element) }.flatMap(\.element.tensors))
        }
        return switch variant {
        case .fp32: []
        case .quantized: tensors { _, _ in true }
        case .parametersOnly: tensors { $1.role == .parameter }
        case .activationsOnly: tensors { $1.role == .activation }
        case .on(let index): tensors { place, _ in place == index }
        case .off(let index): tensors { place, _ in place != index }
        }
    }
}

/// A form of the model.
package enum AnalysisVariant: Hashable, Sendable {
    case fp32
    /// All quantizers on, as in the evaluation.
    case quantized
    case parametersOnly, activationsOnly
    /// One quantizer alone, and all but one; by its place in the task.
    case on(Int)
    case off(Int)
}

/// A quantizer as an analysis turns it on and off: with all tensors that share it.
package struct AnalysisQuantizer: Codable, Equatable, Sendable {
    /// The tensor that it is named after.
    package var tensor: String
    /// What its tensors are to the graph.
    package var role: PlacedQuantizer.Role
    /// Those that it rounds, in the order of the graph.
    package var tensors: [String]
    /// 16 for half precision.
    package var bitwidth: Int

    package init(tensor: String, role: PlacedQuantizer.Role, tensors: [String], bitwidth: Int) {
        (self.tensor, self.role) = (tensor, role)
        (self.tensors, self.bitwidth) = (tensors, bitwidth)
    }

    /// - Parameters:
    ///   - activations: encodings of all activations, constants among them.
    ///   - parameters: encodings of all parameters.
    /// - Returns: those that have an encoding: activations in the order of the graph, then parameters.
    package static func all(
        _ placement: QuantizerPlacement, activations: [String: TensorEncodings],
        parameters: [String: TensorEncodings]
    ) -> [AnalysisQuantizer] {
        var found: [AnalysisQuantizer] = []
        var places: [String: Int] = [:]
        for quantizer in placement.activations where quantizer.enabled {
            guard let encoding = activations[quantizer.tensor] else { continue }
            if let place = places[quantizer.group] {
                found[place].tensors.append(quantizer.tensor)
            } else {
                places[quantizer.group] = found.count
                found.append(
                    .init(
                        tensor: quantizer.group, role: .activation, tensors: [quantizer.tensor],
                        bitwidth: encoding.bitwidth))
            }
        }
        for quantizer in placement.parameters where quantizer.enabled {
            guard let encoding = parameters[quantizer.tensor] else { continue }
            found.append(
                .init(
                    tensor: quantizer.tensor, role: .parameter, tensors: [quantizer.tensor],
                    bitwidth: encoding.bitwidth))
        }
        return found
    }
}

/// What an analysis found over some samples. Merging is exact.
package struct AnalysisResult: Codable, Equatable, Sendable, MergeableResult {
    /// What came of a variant.
    package struct Variant: Codable, Equatable, Sendable {
        /// Predictions beside the labels, where labels count.
        package var counts = EvaluationResult()
        /// The evaluated output beside that of the FP32 model.
        package var output = NoiseStatistics()

        /// Of no samples.
        package init() {}
    }

    /// By place among the task's variants.
    package var variants: [Int: Variant] = [:]
    /// Activations of the quantized model beside those of the FP32 model, by tensor.
    package var layers: [String: NoiseStatistics] = [:]

    /// Of no samples.
    package init() {}

    /// Samples times variants.
    package var sampleCount: Int { variants.values.reduce(0) { $0 &+ $1.counts.sampleCount } }

    package var isSound: Bool {
        variants.values.allSatisfy { $0.counts.isSound && $0.output.isAddable } && layers.values.allSatisfy(\.isAddable)
    }

    /// Adds what was found over other samples.
    package mutating func merge(_ other: AnalysisResult) {
        for (index, variant) in other.variants {
            variants[index, default: Variant()].counts.merge(variant.counts)
            variants[index, default: Variant()].output.merge(variant.output)
        }
        for (name, noise) in other.layers { layers[name, default: NoiseStatistics()].merge(noise) }
    }

    /// Equal results are equal bytes.
    package func encoded() -> Data {
        // Integers and their names alone: there is nothing that JSON cannot hold.
        (try? stableJSON()) ?? Data()
    }

    /// - Throws: `DecodingError`.
    package init(decoding data: Data) throws {
        self = try JSONDecoder().decode(AnalysisResult.self, from: data)
    }
}
