import Cluster
import ClusterProtocol
import Execution
import Foundation
import Graph
import Support
import Synchronization
import Tensors

extension PassSpecification.Probe {
    /// Digest of all values that this machine computes; from memory where it was computed before.
    /// - Throws: as the model's import, compilation and run do.
    func answer(_ worker: WorkerContext) throws -> SHA256Digest {
        try ProbeAnswers.of(worker.memory).answer(to: subject()) {
            try answer(SharedModel(worker.graph(model)))
        }
    }

    /// Once with every value shown, as calibration and quantization have it, and once with what a plan fuses fused.
    private func answer(_ model: SharedModel) throws -> SHA256Digest {
        let specialized = try model.specialized(inputs.shapes(samples: tile))
        let values = specialized.steps.flatMap(\.node.outputs).filter {
            specialized.constants[$0] == nil && specialized.types[$0]?.elementType == .float32
        }
        let batch = ProbeSamples.inputs(inputs, count: tile)
        var digest = BitDigest()
        for taps in [Set(values), []] {
            try ModelLane(model, taps: taps).run(
                batch, count: tile, tile: tile, tap: { digest.add(UnsafeBufferPointer($0.elements)) },
                outputs: { _, plan in
                    for output in specialized.outputs where taps.isEmpty && values.contains(output) {
                        digest.add(plan.output(output))
                    }
                })
        }
        return digest.finish()
    }
}

/// A workload over a model, which has the probe of the model that the job began with.
package protocol ModelWorkload: Workload {
    /// The model, and how samples enter it.
    var pass: PassSpecification { get }
    /// Digests of the artifacts that hold the models which `makeExecutor` asks for.
    var models: [Data] { get }
}

extension ModelWorkload {
    package var models: [Data] { [pass.model] }

    /// Of the model that the job began with.
    package func probeSubject() throws -> SHA256Digest? { try pass.probe?.subject() }

    /// A forward pass of the model that the job began with.
    package func probe(_ worker: WorkerContext) throws -> SHA256Digest? { try pass.probe?.answer(worker) }

    /// The model that the job began with is needed until its probe is computed.
    package func needs(_ artifact: ArtifactID, _ memory: WorkerMemory) -> Bool {
        guard !models.contains(artifact.bytes), let probe = pass.probe, artifact.bytes == probe.model,
            let subject = try? probe.subject()
        else { return true }
        return !ProbeAnswers.of(memory).isKnown(subject)
    }
}

/// What a worker came to in its probes, which it need not compute again.
final class ProbeAnswers: Sendable {
    private let answers = Mutex<[SHA256Digest: SHA256Digest]>([:])

    /// The one that a worker has.
    static func of(_ memory: WorkerMemory) -> ProbeAnswers { memory.value { ProbeAnswers() } }

    func isKnown(_ subject: SHA256Digest) -> Bool { answers.withLock { $0[subject] != nil } }

    func answer(to subject: SHA256Digest, _ compute: () throws -> SHA256Digest) rethrows -> SHA256Digest {
        if let known = answers.withLock({ $0[subject] }) { return known }
        let answer = try compute()
        answers.withLock { $0[subject] = answer }
        return answer
    }
}

/// Made-up samples, the same everywhere.
enum ProbeSamples {
    /// Numbers in [-2, 2), as images are after their preprocessing.
    static func array(_ shape: Shape, stream: Int) -> Tensor {
        var random = CounterRandom(key: 0x7072_6F62_65, UInt64(stream))
        return Tensor(shape: shape, (0..<shape.count).map { _ in 4 * random.uniform() - 2 })
    }

    /// [count, dimensions...] by name.
    static func inputs(_ inputs: [PassSpecification.Input], count: Int) -> [String: Tensor] {
        let arrays = inputs.enumerated().map { ($1.name, array(Shape([count] + $1.dimensions), stream: $0)) }
        return Dictionary(uniqueKeysWithValues: arrays)
    }
}

/// Of the bits of floats, in the order in which they are added.
struct BitDigest {
    private var hasher = SHA256Hasher()

    mutating func add(_ elements: UnsafeBufferPointer<Float>) { hasher.update(UnsafeRawBufferPointer(elements)) }

    mutating func add(_ elements: [Float]) { elements.withUnsafeBufferPointer { add($0) } }

    mutating func add(_ number: Int) { withUnsafeBytes(of: Int64(number).littleEndian) { hasher.update($0) } }

    func finish() -> SHA256Digest { hasher.digest() }
}
