import Cluster
import ClusterProtocol
import Execution
import Foundation
import Graph
import Nodes
import Operators
import Support
import Synchronization
import TensorFunctions
import Tensors

extension PassSpecification.Probe {
    /// Digest of all values that this machine computes; from memory where it was computed before.
    /// - Throws: as the model's import, compilation and run do.
    func answer(_ worker: WorkerContext) throws -> SHA256Digest {
        try ProbeAnswers.of(worker.memory).answer(to: subject()) {
            try answer(SharedModel(worker.graph(model)))
        }
    }

    /// Once with every value shown, as calibration and quantization have it, and once with what a plan fuses fused. Where values
    /// decide what follows, made-up samples lead a model astray: what they decide is left out.
    private func answer(_ model: SharedModel) throws -> SHA256Digest {
        let specialized = try model.specialized(inputs.shapes(samples: tile))
        let values = specialized.steps.flatMap(\.node.outputs).filter {
            specialized.constants[$0] == nil && specialized.types[$0]?.elementType == .float32
        }
        return try ProbeSamples.withInputs(inputs, count: tile) { batch in
            var digest = BitDigest()
            for taps in [Set(values), []] {
                try ModelLane(model, taps: taps, continues: false).run(
                    batch, tiles: [0..<tile], tap: { digest.add(UnsafeBufferPointer($0.elements)) },
                    outputs: { _, plan in
                        for output in specialized.outputs where taps.isEmpty && specialized.constants[output] == nil {
                            digest.add(UnsafeRawBufferPointer(plan.typedOutput(output).bytes))
                        }
                    })
            }
            return digest.finish()
        }
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
    /// Numbers in [-2, 2), as images are after their preprocessing. Integers and truth values are 1 and 0 by turns: ids of all but
    /// tables of one row, masks that leave something over, lengths of one.
    static func array(_ shape: Shape, _ type: ElementType = .float32, stream: Int) -> Tensor {
        guard type.isFloatingPoint else {
            return Tensor(shape: shape, (0..<shape.count).map { Int64(($0 + 1) % 2) }).converted(to: type)
        }
        var random = CounterRandom(key: 0x7072_6F62_65, UInt64(stream))
        return Tensor(shape: shape, (0..<shape.count).map { _ in 4 * random.uniform() - 2 }).converted(to: type)
    }

    /// Arrays of samples as the job looked at. Where the model does not take integers other than 0, as a table of one row does not, all
    /// integers are 0.
    static func withInputs<Result>(
        _ inputs: [PassSpecification.Input], count: Int, _ body: (SampleGroup) throws -> Result
    ) throws -> Result {
        var group = SampleGroup(
            count: count,
            inputs: Dictionary(
                uniqueKeysWithValues: inputs.enumerated().map {
                    ($1.name, array(Shape([count] + $1.dimensions), $1.elementType, stream: $0))
                }), withoutSampleAxis: Set(inputs.filter { !$0.hasSampleAxis }.map(\.name)))
        let integers = inputs.filter { !$0.elementType.isFloatingPoint }
        guard !integers.isEmpty else { return try body(group) }
        do {
            return try body(group)
        } catch let error as GraphError where error.code == .invalidInput {
            for input in integers {
                let shape = Shape([count] + input.dimensions)
                group.inputs[input.name] = Tensor(shape: shape, [Int64](repeating: 0, count: shape.count))
                    .converted(to: input.elementType)
            }
            return try body(group)
        }
    }
}

/// Of the bits of floats, in the order in which they are added.
struct BitDigest {
    private var hasher = SHA256Hasher()

    mutating func add(_ bytes: UnsafeRawBufferPointer) { hasher.update(bytes) }

    mutating func add(_ elements: UnsafeBufferPointer<Float>) { hasher.update(UnsafeRawBufferPointer(elements)) }

    mutating func add(_ elements: [Float]) { elements.withUnsafeBufferPointer { add($0) } }

    mutating func add(_ number: Int) { withUnsafeBytes(of: Int64(number).littleEndian) { hasher.update($0) } }

    func finish() -> SHA256Digest { hasher.digest() }
}
