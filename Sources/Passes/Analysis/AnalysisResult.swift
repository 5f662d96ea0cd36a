import Foundation
import Quantization

/// What an analysis found over some samples. Merging is exact.
package struct AnalysisResult: Codable, Equatable, Sendable, MergeableResult {
    package struct Variant: Codable, Equatable, Sendable {
        package var counts = EvaluationResult()
        /// The evaluated output beside that of the FP32 model.
        package var output = NoiseStatistics()

        package init() {}
    }

    /// By place among the task's variants.
    package var variants: [Int: Variant] = [:]
    /// Activations of the quantized model beside those of the FP32 model, by tensor.
    package var layers: [String: NoiseStatistics] = [:]

    package init() {}

    package mutating func merge(_ other: AnalysisResult) {
        for (index, variant) in other.variants {
            variants[index, default: Variant()].counts.merge(variant.counts)
            variants[index, default: Variant()].output.merge(variant.output)
        }
        for (name, noise) in other.layers { layers[name, default: NoiseStatistics()].merge(noise) }
    }

    /// Equal results are equal bytes.
    package func encoded() -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        // Integers and their names alone: there is nothing that JSON cannot hold.
        return (try? encoder.encode(self)) ?? Data()
    }

    package init(decoding data: Data) throws {
        self = try JSONDecoder().decode(AnalysisResult.self, from: data)
    }
}
