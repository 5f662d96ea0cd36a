import Foundation
import Passes
import Quantization
import Tensors
import Testing
import Training

/// Encodings that were given and do not move in a training.
@Suite struct FrozenEncodingsTests {
    /// Two weights of 4 bits, of which one has frozen encodings.
    private static func plan(
        _ ranges: RangeMode, _ weightEncodings: WeightEncodingMode
    ) throws -> ReplicaPlan {
        let settings = QuantizerSettings(bitwidth: 4, symmetric: true, scheme: .tf)
        let start = TensorEncodings(settings.encoding(min: -1, max: 1))
        return ReplicaPlan(
            parameters: [("frozen", true), ("free", false)].map { name, isFrozen in
                .init(
                    name: name, dimensions: [4],
                    quantizer: .init(settings: settings, channelAxis: nil, start: start, isFrozen: isFrozen))
            },
            activations: [
                .init(name: "x", tensors: ["x"], start: start, isLearned: false),
                .init(name: "y", tensors: ["y"], start: start, isLearned: true),
            ], optimizer: try OptimizerSettings(.sgd(momentum: 0, nesterov: false), learningRate: 0.1), ranges: ranges,
            weightEncodings: weightEncodings, clipNorm: nil)
    }

    /// Frozen encodings stay in every mode; the others move where they move without any that are frozen.
    @Test(arguments: [
        (RangeMode.learned, WeightEncodingMode.follow, true), (.static, .follow, true),
        (.static, .frozen, false),
    ])
    func frozenEncodingsStay(
        _ ranges: RangeMode, _ weightEncodings: WeightEncodingMode, _ moves: Bool
    ) throws {
        let plan = try Self.plan(ranges, weightEncodings)
        let values: [Float] = [0.9, -0.7, 2, 0.3]
        let constants = ["frozen": Tensor(shape: [4], values), "free": Tensor(shape: [4], values)]
        var replica = try TrainingReplica(plan, of: constants)
        let start = try #require(plan.parameters[0].quantizer?.start)
        for step in 1...3 {
            let gradient = (0..<replica.gradientCount).map { Float($0 % 3) - 0.5 * Float(step) }
            try replica.step(gradient: gradient, learningRate: 0.05)
        }
        #expect(replica.parameterEncodings["frozen"] == start)
        #expect((replica.parameterEncodings["free"] != start) == moves)
        #expect(replica.activationEncodings["x"] == start)
        #expect((replica.activationEncodings["y"] != start) == (ranges == .learned))
        // The weights themselves train.
        #expect(replica.weights[0].tensor != constants["frozen"])
        let copy = try TrainingReplica(plan, decoding: replica.encoded())
        #expect(copy.digest == replica.digest && copy.parameterEncodings == replica.parameterEncodings)
    }

    /// Nothing of a frozen range is part of the state.
    @Test func frozenRangesAreNoState() throws {
        let layout = try Self.plan(.learned, .follow).stateLayout()
        #expect(layout.range(of: ReplicaPlan.parameterKey("frozen")) == nil)
        #expect(layout.range(of: ReplicaPlan.parameterKey("free"))?.count == 2)
    }
}
