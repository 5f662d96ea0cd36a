import App
import Foundation
import Support
import Testing
import Training

/// What a worker says of a slot whose numbers have diverged.
@Suite struct DivergenceDiagnosisTests {
    private static let large: Float = 1e30

    private func sentence(
        first: [Float] = [1, 0, 0, 1], second: [Float] = [1, 1], x: [[Float]] = [[1, 2], [3, 4]],
        targets: [Float] = [0, 0], isReduced: Bool
    ) throws -> String {
        let executor = try SmallTraining(first: first, second: second).executor(isReduced: isReduced)
        let payload = try SmallTraining.payload(x, targets: targets)
        let error = try #require(throws: TrainingError.self) {
            _ = try SmallTraining.compute(executor, payload, shard: 3)
        }
        let failure = Failure(error)
        #expect(failure.exitReason == .permanent)
        return failure.sentence
    }

    @Test(arguments: [false, true]) func `a weight that is no number`(_ isReduced: Bool) throws {
        let sentence = try sentence(second: [1, .nan], isReduced: isReduced)
        #expect(sentence.contains("step 7, slot 3, tensor \"second\", element 1: training diverges, not finite"))
    }

    /// Weights are named where the forward pass comes to them: `hidden` is before `second`.
    @Test(arguments: [false, true]) func `an activation that overflows`(_ isReduced: Bool) throws {
        let sentence = try sentence(
            first: [Self.large, 0, 0, 1], second: [1, .nan], x: [[1, 1], [Self.large, 1]], isReduced: isReduced)
        #expect(sentence.contains("step 7, slot 3, tensor \"hidden\", element 2: training diverges, not finite"))
        #expect(sentence.contains("inf"), "\(sentence)")
    }

    @Test(arguments: [false, true]) func `a loss that is too large, of numbers that are finite`(_ isReduced: Bool)
        throws
    {
        let sentence = try sentence(second: [1, 1e10], isReduced: isReduced)
        #expect(sentence.contains("step 7, slot 3, tensor \"second\", element 1: training diverges, too large"))
    }

    /// Every value of the model is in bounds: the loss alone is to blame.
    @Test(arguments: [false, true]) func `a loss that is too large by itself`(_ isReduced: Bool) throws {
        let sentence = try sentence(targets: [0, 1e6], isReduced: isReduced)
        #expect(sentence.contains("step 7, slot 3, loss: training diverges, too large"), "\(sentence)")
    }
}
