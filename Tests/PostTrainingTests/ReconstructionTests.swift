import Foundation
import Graph
import Nodes
import Quantization
import Tensors
import Testing

@testable import PostTraining

/// What is chosen for a layer from the moments of its inputs, against its samples themselves.
@Suite struct ReconstructionTests {
    /// A Gemm with samples: inputs as the quantized model has them, outputs of the FP32 model.
    private struct Sampled {
        let layer: ProductLayer
        let weight: Tensor
        let bias: [Float]
        let inputs: [[Double]]
        let outputs: [[Double]]
        let moments: InputMoments

        init(seed: UInt64, inputs count: Int, outputs: Int, samples: Int = 200) throws {
            var random = CounterRandom(key: 51, seed)
            func numbers(_ count: Int) -> [Float] { (0..<count).map { _ in random.normal() } }
            weight = Tensor(shape: [outputs, count], numbers(outputs * count))
            let bias = numbers(outputs)
            self.bias = bias
            let elements = weight.elements(as: Float.self)
            let node = Node(
                name: "layer", opType: "Gemm", inputs: ["x", "w", "b"], outputs: ["y"],
                attributes: ["transB": .int(1)])
            let graph = Graph(
                name: "g", inputs: [], outputs: [], nodes: [node],
                constants: ["w": weight, "b": Tensor(shape: [outputs], bias)], opsetVersion: 17)
            layer = try #require(ProductLayer(node, in: graph))
            // Inputs that go together, as neighbouring pixels do, with means that are not zero.
            let mixing = numbers(count * count)
            var (rows, made) = ([[Double]](), [[Double]]())
            for _ in 0..<samples {
                let source = numbers(count)
                let exact = (0..<count).map { row in
                    0.5 + (0..<count).reduce(0.0) { $0 + Double(mixing[row * count + $1] * source[$1]) }
                }
                made.append(
                    (0..<outputs).map { output in
                        Double(bias[output])
                            + (0..<count).reduce(0.0) { $0 + Double(elements[output * count + $1]) * exact[$1] }
                    })
                rows.append(exact.map { ($0 * 4).rounded() / 4 })
            }
            (inputs, self.outputs) = (rows, made)
            var vector: [Float] = []
            func mean(_ value: (Int) -> Double) {
                vector.append(Float(rows.indices.reduce(0) { $0 + value($1) } / Double(samples)))
            }
            for row in 0..<count { for column in row..<count { mean { rows[$0][row] * rows[$0][column] } } }
            for row in 0..<count { for output in 0..<outputs { mean { rows[$0][row] * made[$0][output] } } }
            for row in 0..<count { mean { rows[$0][row] } }
            for output in 0..<outputs { mean { made[$0][output] } }
            for output in 0..<outputs { mean { made[$0][output] * made[$0][output] } }
            moments = MomentsLayout(layer).moments(vector, bias: bias)
        }

        /// The mean squared error of an output.
        func error(_ weights: [Float], bias: Float, _ output: Int) -> Double {
            inputs.indices.reduce(0.0) { sum, sample in
                let found = weights.indices.reduce(Double(bias)) { $0 + Double(weights[$1]) * inputs[sample][$1] }
                return sum + (found - outputs[sample][output]) * (found - outputs[sample][output])
            } / Double(inputs.count)
        }
    }

    private static let settings = QuantizerSettings(bitwidth: 3, symmetric: true, scheme: .tf)

    private func encodings(_ sampled: Sampled, perOutput: Bool) -> TensorEncodings {
        func grid(_ elements: some Sequence<Float>) -> Encoding {
            let most = Double(elements.map(\.magnitude).max() ?? 0)
            return Self.settings.encoding(min: -most, max: most)
        }
        let rows = sampled.layer.rows(of: sampled.weight)
        guard perOutput else { return TensorEncodings(grid(rows)) }
        let count = sampled.layer.inputs
        return TensorEncodings(
            encodings: (0..<sampled.layer.outputs).map { grid(rows[$0 * count..<($0 + 1) * count]) }, axis: 0)
    }

    /// Single moves end where no weight alone can do better, which is not always the best there is.
    @Test func theSearchMostlyComesNearTheBestOfAllGridPoints() throws {
        var near = 0
        for seed in 0..<40 {
            let sampled = try Sampled(seed: UInt64(seed), inputs: 3, outputs: 1)
            let grid = encodings(sampled, perOutput: true).encodings[0]
            let points = (grid.offset...grid.offset + grid.steps).map { Float(Double($0) * grid.delta) }
            var best = Double.infinity
            for a in points {
                for b in points {
                    for c in points { best = min(best, sampled.error([a, b, c], bias: sampled.bias[0], 0)) }
                }
            }
            let search = RoundingSearch(sampled.moments, group: 0, freesBias: false)
            let rows = sampled.layer.rows(of: sampled.weight)
            let found = search.rounded(rows, to: grid, products: (0..<3).map { sampled.moments.cross[0][$0] })
            for weight in found { #expect(points.contains { abs($0 - weight) < 1e-6 }) }
            let own = sampled.error(found, bias: sampled.bias[0], 0)
            let nearest = sampled.error(rows.map { grid.nearest(to: $0) }, bias: sampled.bias[0], 0)
            // The damping may cost a little.
            #expect(own <= nearest * 1.02, "seed \(seed): \(own), nearest \(nearest)")
            if own <= best * 1.1 + 1e-3 { near += 1 }
        }
        #expect(near >= 32, "\(near) of 40")
    }

    @Test(arguments: [true, false]) func errorsFromMomentsAreThoseOfTheSamples(perOutput: Bool) throws {
        let sampled = try Sampled(seed: 3, inputs: 9, outputs: 5)
        let encodings = encodings(sampled, perOutput: perOutput)
        let count = sampled.layer.inputs
        let made = try #require(
            sampled.layer.reconstructed(
                sampled.weight, bias: sampled.bias, encodings, settings: Self.settings,
                by: [.sequentialMSE, .adaptiveRounding, .biasCorrection], sampled.moments))
        let nearest = sampled.layer.rounded(sampled.layer.rows(of: sampled.weight), encodings)
        let after = sampled.layer.rows(of: made.weight)
        let bias = try #require(made.bias)
        func decibels(_ rows: [Float], _ bias: [Float]) -> Double {
            var (noise, signal) = (0.0, 0.0)
            for output in 0..<5 {
                noise += sampled.error(Array(rows[output * count..<(output + 1) * count]), bias: bias[output], output)
                for sample in sampled.outputs { signal += pow(sample[output] - Double(sampled.bias[output]), 2) / 200 }
            }
            return 10 * log10(signal / noise)
        }
        #expect(abs(made.before - decibels(nearest, sampled.bias)) < 0.05)
        #expect(abs(made.after - decibels(after, bias)) < 0.05)
        #expect(made.after > made.before + 1)
        // The bias takes up the mean error.
        for output in 0..<5 {
            var mean = 0.0
            for (input, made) in zip(sampled.inputs, sampled.outputs) {
                mean += Double(bias[output]) - made[output]
                for (place, value) in input.enumerated() { mean += Double(after[output * count + place]) * value }
            }
            #expect(abs(mean / 200) < 1e-4)
        }
    }

    @Test(arguments: [true, false]) func rangesGetNoWorse(perOutput: Bool) throws {
        for seed in 0..<10 {
            let sampled = try Sampled(seed: UInt64(seed), inputs: 7, outputs: 4)
            let encodings = encodings(sampled, perOutput: perOutput)
            let made = try #require(
                sampled.layer.reconstructed(
                    sampled.weight, bias: sampled.bias, encodings, settings: Self.settings, by: [.sequentialMSE],
                    sampled.moments))
            #expect(made.weight == sampled.weight && made.bias == sampled.bias)
            #expect(made.after >= made.before && made.encodings.encodings.count == encodings.encodings.count)
        }
    }

    @Test func encodingsOfBlocksAreLeftAlone() throws {
        let sampled = try Sampled(seed: 1, inputs: 4, outputs: 2)
        #expect(
            sampled.layer.reconstructed(
                sampled.weight, bias: sampled.bias, .float16, settings: Self.settings, by: [.adaptiveRounding],
                sampled.moments) == nil)
    }
}
