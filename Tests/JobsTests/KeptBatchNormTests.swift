import App
import Foundation
import Graph
import JobFile
import Jobs
import Nodes
import ONNX
import Operators
import Passes
import Quantization
import Simulation
import Tensors
import Testing
import Training

@Suite struct KeptBatchNormTests {
    private static func graph() throws -> Graph {
        let model = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
            .appendingPathComponent("../../Sources/App/Demo/demo.onnx")
        return try Graph(importing: ONNXFile.read(model)).foldingConstants()
    }

    private static func placement(_ graph: Graph, _ config: String) throws -> QuantizerPlacement {
        try QuantizerPlacement(
            graph: graph, config: #require(SimulationConfig.named(config)), activationBitwidth: 8,
            parameterBitwidth: 4, activationScheme: .tf, parameterScheme: .tf)
    }

    // MARK: Placement and folding

    /// Nothing is rounded between a layer and the batch norm behind it, all else as in the folded graph.
    @Test func quantizersLieWhereTheyWillLie() throws {
        let graph = try Self.graph()
        let norms = graph.nodes.filter { $0.opType == "BatchNormalization" }
        #expect(norms.count > 5)
        let placement = try KeptBatchNorms.placement(on: graph) { try Self.placement($0, "default_per_channel") }
        let enabled = Set(placement.activations.filter(\.enabled).map(\.tensor))
        let ofParameters = Set(placement.parameters.filter(\.enabled).map(\.tensor))
        for norm in norms {
            #expect(!enabled.contains(norm.inputs[0]))
            #expect(ofParameters.isDisjoint(with: norm.inputs))
        }
        // Those before an addition have a quantizer, those before an activation function none.
        #expect(
            norms.contains { enabled.contains($0.outputs[0]) } && norms.contains { !enabled.contains($0.outputs[0]) })

        let (folded, _, renamed) = KeptBatchNorms.foldingToScale(graph, [:])
        #expect(!folded.nodes.contains { $0.opType == "BatchNormalization" })
        let expected = try Self.placement(folded, "default_per_channel")
        #expect(Set(expected.activations.filter(\.enabled).map(\.tensor)) == Set(enabled.map { renamed[$0] ?? $0 }))
        #expect(Set(expected.parameters.filter(\.enabled).map(\.tensor)) == ofParameters)
    }

    /// Overrides are of the model with its batch norms folded, by whose names it is known in the end.
    @Test func overridesAreOfTheFoldedModel() throws {
        let graph = try Self.graph()
        let (_, _, renamed) = KeptBatchNorms.foldingToScale(graph, [:])
        var bits = QuantizerOverride()
        bits.bitwidth = 16
        let folded = try Self.placement(KeptBatchNorms.foldingToScale(graph, [:]).graph, "default")
        let names = try graph.nodes.filter { $0.opType == "BatchNormalization" }.map {
            try #require(renamed[$0.outputs[0]])
        }
        let name = try #require(names.first { name in folded.activations.contains { $0.tensor == name && $0.enabled } })
        let output = try #require(renamed.first { $0.value == name }?.key)
        let placement = try KeptBatchNorms.placement(
            on: graph, { try Self.placement($0, "default") },
            refine: { try $0.overridden(by: [.tensors([name], bits)], in: $1) })
        let changed = placement.activations.filter { $0.enabled && $0.settings.bitwidth == 16 }
        #expect(changed.map(\.tensor) == [output])
        #expect(placement.steps[output]?.last?.rule == "overrides[0]")
    }

    /// The rounded model computes the same before and after, batch norms with negative scales among them.
    @Test func foldingToScaleDoesNotChangeWhatIsComputed() throws {
        var graph = try Self.graph()
        for (index, norm) in graph.nodes.filter({ $0.opType == "BatchNormalization" }).enumerated() {
            var scale = try #require(graph.constants[norm.inputs[1]]).elements(as: Float.self)
            for channel in scale.indices where (channel + index).isMultiple(of: 3) { scale[channel].negate() }
            graph.constants[norm.inputs[1]] = Tensor(shape: [scale.count], scale)
        }
        let placement = try KeptBatchNorms.placement(on: graph) { try Self.placement($0, "default_per_channel") }
        var encodings = ParameterEncodings.compute(graph: graph, placement: placement)
        // Room for the least weights on the other side, so that no grid needs its least point.
        encodings = encodings.mapValues { tensor in
            TensorEncodings(
                encodings: tensor.encodings.map { encoding in
                    Encoding(
                        bitwidth: encoding.bitwidth, delta: Double(Float(encoding.delta * 1.25)),
                        offset: encoding.offset, steps: encoding.steps, symmetric: encoding.symmetric)
                }, axis: tensor.axis)
        }
        let (folded, scaled, _) = KeptBatchNorms.foldingToScale(graph, encodings)
        #expect(folded.nodes.count < graph.nodes.count)
        var random = CounterRandom(key: 3)
        let input = Tensor(shape: [2, 1, 28, 28], (0..<2 * 784).map { _ in 255 * random.uniform() })
        func scores(_ graph: Graph, _ encodings: [String: TensorEncodings]) throws -> [Float] {
            let outputs = try Inference.compute(
                graph, [graph.inputs[0].name: input], EncodingsFile(activations: [:], parameters: encodings))
            return try #require(outputs.first).tensor.elements(as: Float.self)
        }
        let expected = try scores(graph, encodings)
        let found = try scores(folded, scaled)
        let largest = try #require(expected.map(abs).max())
        for (a, b) in zip(found, expected) { #expect(abs(a - b) <= 1e-3 * largest, "\(a) for \(b)") }
        #expect(try scores(folded, [:]) != found)
    }

    @Test func gridsFollowTheirWeights() {
        let asymmetric = Encoding(bitwidth: 4, delta: 0.5, offset: -3, steps: 15, symmetric: false)
        let mirrored = asymmetric.scaled(by: -2)
        #expect((mirrored.min, mirrored.max, mirrored.delta, mirrored.offset) == (-12, 3, 1, -12))
        let symmetric = Encoding(bitwidth: 4, delta: 0.5, offset: -8, steps: 15, symmetric: true)
        #expect(symmetric.scaled(by: -2).offset == -8 && symmetric.scaled(by: -2).delta == 1)
        let unsigned = Encoding(bitwidth: 4, delta: 0.5, offset: 0, steps: 15, symmetric: true)
        #expect(unsigned.scaled(by: -1).offset == -15 && unsigned.scaled(by: 3).offset == 0)
        #expect(symmetric.scaled(by: 0) == symmetric)
    }

    /// With one encoding for all channels no grid can follow.
    @Test func layersWithOneEncodingKeepTheirBatchNorm() throws {
        let graph = try Self.graph()
        let placement = try KeptBatchNorms.placement(on: graph) { try Self.placement($0, "default") }
        let encodings = ParameterEncodings.compute(graph: graph, placement: placement)
        let (same, unchanged, renamed) = KeptBatchNorms.foldingToScale(graph, encodings)
        #expect(same.nodes == graph.nodes && unchanged == encodings && renamed.isEmpty)
    }

    // MARK: The state of a training

    private static let normalization = BatchNormPlan.Normalization(
        output: "y", mean: "m", variance: "v", channels: 2, epsilon: 1e-5)

    private static func plan(kept: Bool, clipNorm: Double? = nil) throws -> ReplicaPlan {
        ReplicaPlan(
            parameters: [.init(name: "w", dimensions: [3], quantizer: nil)], activations: [],
            optimizer: try OptimizerSettings(.sgd(momentum: 0.9, nesterov: false), learningRate: 0.1, weightDecay: 0.1),
            ranges: .static, weightEncodings: .follow, clipNorm: clipNorm,
            batchNorms: kept
                ? BatchNormPlan(
                    normalizations: [normalization], rule: RunningStatistics(momentum: 0.25, slots: 2)) : nil)
    }

    private static let constants = [
        "w": Tensor(shape: [3], [Float(1), -2, 3]), "m": Tensor(shape: [2], [Float(0), 10]),
        "v": Tensor(shape: [2], [Float(1), 4]),
    ]

    /// Running values follow the slots, and neither they nor what slots contribute to them is anything to the optimizer.
    @Test(arguments: [nil, 0.5])
    func stepsMoveRunningValuesBesideTheOptimizer(_ clipNorm: Double?) throws {
        let plan = try Self.plan(kept: true, clipNorm: clipNorm)
        var replica = try TrainingReplica(plan, of: Self.constants)
        var other = try TrainingReplica(Self.plan(kept: false, clipNorm: clipNorm), of: Self.constants)
        let layout = try plan.gradientLayout()
        #expect(layout.range(of: "m")?.lowerBound == SlotRounding.block && layout.count == SlotRounding.block + 4)
        let found: [(mean: [Double], variance: [Double])] = [([2, 8], [9, 1]), ([-4, 12], [3, 2])]
        var (mean, variance): ([Double], [Double]) = ([0, 10], [1, 4])
        for _ in 0..<3 {
            let before = Dictionary(uniqueKeysWithValues: replica.weights.map { ($0.name, $0.tensor) })
            let means = try #require(before["m"]).elements(as: Float.self)
            let variances = try #require(before["v"]).elements(as: Float.self)
            let weights: [Float] = [0.5, -0.25, 1]
            var gradient = weights + [Float](repeating: 0, count: layout.count - 3)
            for (slot, batch) in found.enumerated() {
                for channel in 0..<2 {
                    let part = RunningStatistics(momentum: 0.25, slots: 2).contribution(
                        slot: slot, mean: batch.mean[channel], variance: batch.variance[channel],
                        running: (means[channel], variances[channel]), epsilon: 1e-5)
                    gradient[SlotRounding.block + channel] += part.mean
                    gradient[SlotRounding.block + 2 + channel] += part.variance
                    mean[channel] = 0.75 * mean[channel] + 0.25 * batch.mean[channel]
                    variance[channel] = 0.75 * variance[channel] + 0.25 * batch.variance[channel]
                }
            }
            try replica.step(gradient: gradient, learningRate: 0.5)
            try other.step(gradient: weights, learningRate: 0.5)
        }
        let state = Dictionary(uniqueKeysWithValues: replica.weights.map { ($0.name, $0.tensor) })
        #expect(state["w"] == other.weights[0].tensor)
        for (name, expected) in [("m", mean), ("v", variance)] {
            for (a, b) in zip(try #require(state[name]).elements(as: Float.self), expected) {
                #expect(abs(Double(a) - b) <= 1e-5 * abs(b), "\(name): \(a) for \(b)")
            }
        }
        #expect(try TrainingReplica(plan, decoding: replica.encoded()).digest == replica.digest)
    }

    /// A step whose slots have no samples leaves running values as they are.
    @Test func emptySlotsLeaveRunningValuesAlone() throws {
        let plan = try Self.plan(kept: true)
        var replica = try TrainingReplica(plan, of: Self.constants)
        try replica.step(
            gradient: [Float](repeating: 0, count: plan.gradientLayout().count), learningRate: 0.5)
        for (name, tensor) in replica.weights where name != "w" { #expect(tensor == Self.constants[name]) }
    }

    // MARK: Re-estimation

    @Test func statisticsOfBatchesAddUpInAnyOrder() throws {
        var random = CounterRandom(key: 9)
        let batches = try (0..<12).map { index in
            index == 5
                ? NormalizationResult(skipped: 4, count: 6)
                : try NormalizationResult(
                    samples: 8, skipped: 1, statistics: (0..<6).map { _ in 1000 * random.normal() })
        }
        func merged(_ order: [Int], groups: Int) throws -> NormalizationResult {
            var parts = [NormalizationResult](repeating: NormalizationResult(count: 6), count: groups)
            for (place, index) in order.enumerated() { try parts[place % groups].merge(batches[index]) }
            var whole = NormalizationResult(count: 6)
            for part in parts { try whole.merge(NormalizationResult(decoding: part.encoded(), count: 6)) }
            return whole
        }
        let expected = try merged(Array(0..<12), groups: 1)
        #expect((expected.samples, expected.skipped, expected.batches) == (88, 15, 11))
        for groups in 1...5 {
            let found = try merged((0..<12).shuffled(using: &random), groups: groups)
            #expect(found.mean == expected.mean && found.encoded() == expected.encoded())
        }
        #expect(NormalizationResult(count: 6).mean == nil)
    }

    // MARK: The job file

    private static func job(_ training: String, _ rest: String = "") throws -> JobFile {
        try JobFile(
            decoding: """
                model: m.onnx
                dataset: {calibration: {path: c.npz}, training: {path: t.npz}}
                training: {steps: 1, optimizer: {name: sgd, learning_rate: 1}, global_batch: 4, slots: 2\(training)}
                \(rest)
                """, file: "job.yml")
    }

    @Test func jobsSayWhatBecomesOfBatchNorms() throws {
        let folds = "post_training: [fold_batch_norms]"
        for (training, rest, expected, stages) in [
            ("", "", JobFile.BatchNorms.folded, [JobFile.PostTrainingStage.foldBatchNorms]),
            ("", folds, .folded, [.foldBatchNorms]), ("", "post_training: []", .frozen, []),
            (", batch_norms: folded", "", .folded, [.foldBatchNorms]), (", batch_norms: kept", "", .kept, []),
            (", batch_norms: frozen", "post_training: []", .frozen, []),
            (", batch_norms: kept, batch_norm_momentum: 0.01", "post_training: []", .kept, []),
        ] {
            let job = try Self.job(training, rest)
            #expect(job.training?.batchNorms == expected && job.postTraining == stages, "\(training) \(rest)")
            let json = try JSONSerialization.jsonObject(with: JSONEncoder().encode(job)) as? [String: Any]
            #expect((json?["training"] as? [String: Any])?["batch_norms"] as? String == expected.rawValue)
        }
        #expect(try Self.job(", batch_norms: kept, batch_norm_momentum: 0.01").training?.batchNormMomentum == 0.01)
        for (training, rest, key) in [
            (", batch_norms: kept", folds, "batch_norms"), (", batch_norms: frozen", folds, "batch_norms"),
            (", batch_norms: folded", "post_training: []", "batch_norms"),
            (", batch_norm_momentum: 0.1", "", "batch_norm_momentum"),
            (", batch_norms: frozen, reestimation_batches: 1", "", "reestimation_batches"),
        ] {
            #expect {
                try Self.job(training, rest)
            } throws: { error in
                let error = error as? JobError
                return error?.code == .conflictingKeys && error?.key == "training." + key
            }
        }
    }
}
