import Foundation
import JobFile
import Passes
import Tensors
import Testing
import TestSupport
import Training

/// What a job file asks for is what a step does: PyTorch's results, bit for bit what the documented formulas give.
@Suite struct ReplicaOptimizerTests {
    private func golden() throws -> [String: [Float]] {
        let arrays = try NPZ.read(goldenFolder("Training").appendingPathComponent("optimizers.npz"))
        return Dictionary(uniqueKeysWithValues: arrays.map { ($0.name, $0.tensor.elements(as: Float.self)) })
    }

    private func replica(_ lines: String, of weights: [Float]) throws -> (TrainingReplica, learningRate: Double) {
        let text = "\(SmallJob.minimal)\n  training: {path: x}\ntraining: {\(lines)}"
        let training = try #require(try JobFile(decoding: text, file: "job.yml").training)
        let plan = ReplicaPlan(
            parameters: [.init(name: "weight", dimensions: [weights.count], quantizer: nil)], activations: [],
            optimizer: training.optimizer, ranges: .learned, weightEncodings: .follow,
            clipNorm: training.clipNorm)
        let replica = try TrainingReplica(plan, of: ["weight": Tensor(shape: [weights.count], weights)])
        return (replica, training.optimizer.learningRate)
    }

    @Test(arguments: [
        ("sgd", "{learning_rate: 0.1, momentum: 0}"),
        ("sgd_decay", "{learning_rate: 0.1, momentum: 0, weight_decay: 0.01}"),
        ("momentum", "{name: sgd, learning_rate: 0.05, weight_decay: 5.0e-4}"),
        ("nesterov", "{name: sgd, learning_rate: 0.05, nesterov: true, weight_decay: 5.0e-4}"),
        ("adam", "{name: adam, learning_rate: 0.01}"),
        ("adam_decay", "{name: adam, learning_rate: 0.01, betas: [0.8, 0.99], epsilon: 1.0e-6, weight_decay: 0.1}"),
        ("adamw", "{name: adamw, learning_rate: 0.01, weight_decay: 0.05}"),
    ])
    func stepsArePyTorchs(_ name: String, _ optimizer: String) throws {
        let golden = try golden()
        let gradients = try #require(golden["gradients"])
        let exact = try #require(golden["\(name).exact"])
        var (replica, learningRate) = try replica("optimizer: \(optimizer)", of: #require(golden["weights"]))
        let count = replica.values.count
        for step in 0..<gradients.count / count {
            let range = step * count..<(step + 1) * count
            // A state that was written and read again goes on the same.
            replica = try TrainingReplica(replica.plan, decoding: replica.encoded())
            try replica.step(gradient: Array(gradients[range]), learningRate: learningRate)
            #expect(replica.values == Array(exact[range]), "step \(step)")
        }
    }

    @Test(arguments: ["0.5", "3", "1000"])
    func clippingIsPyTorchs(_ norm: String) throws {
        let golden = try golden()
        let gradients = try #require(golden["gradients"])
        let clipped = try #require(golden["clipped.\(norm)"])
        var (replica, learningRate) = try replica(
            "clip_norm: \(norm), optimizer: {learning_rate: 1, momentum: 0}",
            of: [Float](repeating: 0, count: gradients.count))
        try replica.step(gradient: gradients, learningRate: learningRate)
        let bound = 2e-7 * (clipped.map(\.magnitude).max() ?? 0)
        #expect(zip(replica.values, clipped).allSatisfy { abs($0 + $1) <= bound })
    }
}
