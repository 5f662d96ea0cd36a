import Cluster
import ClusterProtocol
import Foundation
import Passes
import Support
import Tensors
import Testing
import TestSupport

/// What workers answer to a probe says which bits they compute, and nothing else.
@Suite struct ProbeTests {
    private static let inputs = [PassSpecification.Input(name: "x", dimensions: [2], preprocessing: nil)]

    private static func model(_ weight: [Float]) throws -> Data {
        var model = ModelBuilder()
        model.input("x", ["n", "2"])
        model.constant("weight", Tensor(shape: [2, 2], weight))
        model.node("MatMul", ["x", "weight"], ["hidden"])
        model.node("Erf", ["hidden"], ["output"])
        model.output("output", ["n", "2"])
        return try model.file.encoded()
    }

    /// A pass over one model of a job that began with another.
    private static func evaluation(of model: Data, begunWith first: Data) -> Evaluation {
        let first = ArtifactID(of: first).bytes
        return Evaluation(
            PassSpecification(
                model: ArtifactID(of: model).bytes, inputs: inputs, output: "output", parameters: [:], tile: 2,
                skipsBadSamples: false, probe: .init(model: first, inputs: inputs, tile: 2)),
            activations: [:])
    }

    private static func worker() -> PassExecutors {
        PassExecutors { ShardFailure(permanent: true, code: "\($0)") }
    }

    private static func answer(
        _ worker: PassExecutors, _ workload: some Workload, _ files: [Data]
    ) throws -> SHA256Digest {
        let artifacts = Dictionary(uniqueKeysWithValues: files.map { (ArtifactID(of: $0), $0) })
        let answer = try worker.probe(descriptor: workload.encoded()) { try #require(artifacts[$0]) }
        return try #require(answer)
    }

    @Test func allWorkersAnswerTheSame() throws {
        let model = try Self.model([1, 2, 3, 4])
        let pass = Self.evaluation(of: model, begunWith: model)
        #expect(
            try Self.answer(Self.worker(), pass, [model]) == Self.answer(Self.worker(), pass, [model]))
    }

    @Test func theLastBitOfAWeightChangesTheAnswer() throws {
        let model = try Self.model([1, 2, 3, 4])
        let other = try Self.model([1, 2, 3, Float(4).nextUp])
        let answers = try [model, other].map {
            try Self.answer(Self.worker(), Self.evaluation(of: $0, begunWith: $0), [$0])
        }
        #expect(answers[0] != answers[1])
    }

    /// The model changes in a job, by folding or training; the probe does not, so that a worker that comes later is asked
    /// what the first was.
    @Test func theAnswerIsThatOfTheModelTheJobBeganWith() throws {
        let first = try Self.model([1, 2, 3, 4])
        let later = try Self.model([4, 3, 2, 1])
        let beginning = Self.evaluation(of: first, begunWith: first)
        let pass = Self.evaluation(of: later, begunWith: first)
        #expect(try beginning.probeSubject() == pass.probeSubject())
        #expect(
            try Self.answer(Self.worker(), pass, [first, later]) == Self.answer(Self.worker(), beginning, [first]))
    }

    @Test func aWorkerThatHasAnsweredNeedsNoFirstModel() throws {
        let first = try Self.model([1, 2, 3, 4])
        let later = try Self.model([4, 3, 2, 1])
        let worker = Self.worker()
        let pass = Self.evaluation(of: later, begunWith: first)
        let files = [first, later].map { ArtifactID(of: $0) }
        #expect(try worker.neededArtifacts(descriptor: pass.encoded(), of: files) == files)
        let answer = try Self.answer(worker, Self.evaluation(of: first, begunWith: first), [first])
        #expect(try worker.neededArtifacts(descriptor: pass.encoded(), of: files) == [files[1]])
        #expect(try Self.answer(worker, pass, [later]) == answer)
    }

    @Test func aTrainingHasOneProbeForAllItsSteps() throws {
        let training = try SmallTraining(first: [1, 2, 3, 4])
        let (first, later) = (try training.probe(step: 0), try training.probe(step: 7))
        #expect(first.subject == later.subject)
        #expect(first.answer != nil && first.answer == later.answer)
    }

    @Test func theLastBitOfAWeightChangesTheGradients() throws {
        let answers = try [Float(4), Float(4).nextUp].map {
            try SmallTraining(first: [1, 2, 3, $0]).probe(step: 0).answer
        }
        #expect(answers[0] != answers[1])
    }
}
