import Cluster
import ClusterProtocol
import Foundation
import Passes
import Testing
import Training

/// Attempts of one step by one worker: those of a session that it has lost may end when another one has begun.
@Suite struct ReplicatedStepTests {
    /// The output is 1 + 2, and its gradient 2 * 3 / 2 samples; nothing comes from the second sample.
    private static let x: [[Float]] = [[1, 2], [0, 0]]
    /// 3 times the activation, and 3 times x for each column.
    private static let gradient: [Float] = [3, 6] + [3, 3, 6, 6]

    private func training() throws -> SmallTraining { try SmallTraining(first: [1, 0, 0, 1]) }

    /// With the gradient there, but the step not taken.
    private func reduction(_ training: SmallTraining, learningRate: Double = 0.5) throws -> any PartReduction {
        let executor = try training.executor(isReduced: true, learningRate: learningRate)
        let reducing = try #require(executor as? any ReducingExecutor)
        _ = try SmallTraining.compute(reducing, SmallTraining.payload(Self.x), shard: 0)
        let reduction = reducing.reduction
        for part in 0..<reduction.partCount {
            try #require(reduction.isComplete(part: part, shards: [0]))
            try reduction.beginReducing(part: part)
            _ = try reduction.reduced(part: part)
        }
        return reduction
    }

    /// The digest of the state that a worker tells of.
    private static func state(_ outcome: Data) throws -> Data { try StepOutcome(decoding: outcome).state() }

    /// A digest is any 32 bytes: none of them is taken for something else.
    @Test func outcomesAreToldApart() throws {
        let encoder = JSONEncoder()
        for first in [UInt8(ascii: "{"), UInt8(ascii: "["), 0, 255] {
            let digest = Data([first] + [UInt8](repeating: 0x7D, count: 31))
            let outcome = try encoder.encode(StepOutcome.state(digest))
            #expect(try Self.state(outcome) == digest)
        }
        #expect(throws: DecodingError.self) { try StepOutcome(decoding: Data("{}".utf8)) }
    }

    @Test(arguments: [[0, 1], [1, 0], [0, 0, 1, 0]])
    func `attempts of one step end in any order`(_ order: [Int]) throws {
        let training = try training()
        let reductions = try [reduction(training), reduction(training)]
        let digests = try order.map { try Self.state(reductions[$0].finish()) }
        let expected = try training.stepped(gradient: Self.gradient)
        #expect(digests == order.map { _ in expected.digest })
        #expect(try training.state(expected.digest) == expected.encoded())
    }

    /// The attempt that ends late does not replace the state that another attempt begins with, nor takes it away.
    @Test func `an attempt that begins when another has ended`() throws {
        let training = try training()
        let late = try reduction(training)
        let digest = try Self.state(reduction(training).finish())
        // The worker gets the state before the step anew.
        let again = try reduction(training)
        #expect(try Self.state(late.finish()) == digest)
        #expect(try Self.state(again.finish()) == digest)
        #expect(try training.state(digest) == training.stepped(gradient: Self.gradient).encoded())
    }

    /// All attempts come to the same divergence, and none leaves a state that is half stepped.
    @Test func divergence() throws {
        let training = try training()
        let reductions = try (0..<2).map { _ in try reduction(training, learningRate: 1e39) }
        let outcomes = try [0, 1, 0].map { try reductions[$0].finish() }
        #expect(Set(outcomes).count == 1)
        let error = try #require(throws: TrainingError.self) { try Self.state(outcomes[0]) }
        #expect(error.code == .notFinite && error.key == "second")
        #expect(throws: ShardFailure.self) { try training.state(outcomes[0]) }
        // From the state before the step, as it was.
        let digest = try Self.state(reduction(training).finish())
        #expect(try digest == training.stepped(gradient: Self.gradient).digest)
    }
}
