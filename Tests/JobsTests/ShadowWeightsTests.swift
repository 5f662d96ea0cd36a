import Foundation
import Jobs
import Quantization
import Tensors
import TestSupport
import Testing
import Training

@Suite struct ShadowWeightsTests {
    private let settings: OptimizerSettings
    private let layout: ParameterLayout

    init() throws {
        settings = try OptimizerSettings(.sgd(momentum: 0.5, nesterov: false))
        layout = try ParameterLayout([("weight", [2, 3]), ("bias", [2])])
    }

    private func weights(_ weight: [Float]) throws -> ShadowWeights {
        try ShadowWeights(
            layout,
            of: ["weight": Tensor(shape: [2, 3], weight), "bias": Tensor(shape: [2], [Float(100), -100])], settings)
    }

    /// Grid 0, 1, 2, 3 for the first channel, -6 ... 9 in steps of 3 for the second.
    private var encodings: [String: TensorEncodings] {
        let first = Encoding(bitwidth: 2, min: 0, max: 3, delta: 1, offset: 0, symmetric: false)
        let second = Encoding(bitwidth: 2, min: -3, max: 6, delta: 3, offset: -1, symmetric: false)
        return ["weight": TensorEncodings(encodings: [first, second], axis: 0)]
    }

    /// What is rounded to an end of the grid still passes, what lies beyond does not; tensors without encodings pass whole.
    @Test func clippedWeightsHaveNoGradient() throws {
        let weights = try weights([-0.6, 3.4, 3.6, -4.4, -4.6, 7.6])
        let masked = try weights.masked([1, 2, 3, 4, 5, 6, 7, 8], encodings: encodings)
        #expect(masked == [0, 2, 0, 4, 0, 0, 7, 8])
    }

    /// A clipped weight still moves by its momentum.
    @Test func steps() throws {
        var weights = try weights([0, 3, 9, 0, 0, 0])
        try weights.step(gradient: [1, 1, 1, 0, 0, 0, 1, 0], encodings: encodings, learningRate: 0.25)
        #expect(weights.values == [-0.25, 2.75, 9, 0, 0, 0, 99.75, -100])
        try weights.step(gradient: [Float](repeating: 0, count: 8), encodings: encodings, learningRate: 0.25)
        #expect(weights.values == [-0.375, 2.625, 9, 0, 0, 0, 99.625, -100])
    }

    @Test func whatHasBecomeInfiniteIsNamed() throws {
        var weights = try weights([0, 0, 0, 0, 0, 0])
        var gradient = [Float](repeating: 0, count: 8)
        gradient[7] = 1e30
        let expected = TrainingError(.notFinite, key: "bias", index: 1, found: "a weight of -inf")
        #expect(throws: expected) {
            try weights.step(gradient: gradient, encodings: encodings, learningRate: 1e30)
        }
    }

    /// Momentum included, all of it survives a checkpoint.
    @Test func checkpointsHoldTheWholeState() throws {
        let scratch = try ScratchFolder()
        var weights = try weights([0, 1, 2, 0, 1, 2])
        let gradient: [Float] = [1, 2, 3, 4, 5, 6, 7, 8]
        try weights.step(gradient: gradient, encodings: [:], learningRate: 0.25)
        let store = try CheckpointStore(folder: scratch.url, keeping: 2)
        try store.write(weights.checkpoint(.init(step: 1, epoch: 0, seed: 3, notes: ["a": "b"])))
        let checkpoint = try store.read(step: 1)
        #expect(checkpoint.manifest.notes == ["a": "b"])
        var restored = try ShadowWeights(layout, from: checkpoint, settings)
        for _ in 0..<2 {
            try weights.step(gradient: gradient, encodings: [:], learningRate: 0.125)
            try restored.step(gradient: gradient, encodings: [:], learningRate: 0.125)
        }
        #expect(restored.values == weights.values)
        #expect(restored.bytes == weights.bytes)
    }
}
