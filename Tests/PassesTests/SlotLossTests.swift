import Cluster
import ClusterProtocol
import Datasets
import Execution
import Foundation
import Passes
import Tensors
import Testing
import TestSupport
import Training

/// Losses and gradients of slots, as workers compute them, against the losses' definitions in double precision.
@Suite struct SlotLossTests {
    private static let channels = 3
    private static let classes = 4
    private static let globalBatch = 8

    /// A layer of `channels` to `classes` at each of some places, and optionally the mean squared error of its outputs.
    private struct Layer {
        let places: Int
        var hasLoss = false
        /// Whether the model takes any number of places.
        var isOpen = false

        /// Without the axis of samples.
        var input: [Int] { places == 1 ? [channels] : [channels, 2, places / 2] }
        var output: [Int] { places == 1 ? [classes] : [classes, 2, places / 2] }
        var weight: [Int] { places == 1 ? [channels, classes] : [classes, channels, 1, 1] }

        func model(_ values: [Float]) throws -> Data {
            var model = ModelBuilder()
            let size = channels * classes
            model.input("x", ["n"] + (isOpen ? ["\(channels)", "h", "w"] : input.map(String.init)))
            model.constant("weight", Tensor(shape: Shape(weight), Array(values[..<size])))
            model.constant("bias", Tensor(shape: [classes], Array(values[size...])))
            model.node(places == 1 ? "Gemm" : "Conv", ["x", "weight", "bias"], ["output"])
            model.output("output", ["n"] + (isOpen ? ["\(classes)", "h", "w"] : output.map(String.init)))
            if hasLoss {
                model.input("targets", ["n"] + output.map(String.init))
                model.node("Sub", ["output", "targets"], ["difference"])
                model.node("Mul", ["difference", "difference"], ["squares"])
                model.node("ReduceMean", ["squares"], ["loss"])
                model.output("loss", output.map { _ in "1" } + ["1"])
            }
            return try model.file.encoded()
        }

        /// [classes, places]
        func outputs(_ values: [Double], _ x: [Float]) -> [Double] {
            (0..<classes * places).map { index in
                let (o, place) = index.quotientAndRemainder(dividingBy: places)
                return (0..<channels).reduce(values[channels * classes + o]) { sum, i in
                    sum + values[places == 1 ? i * classes + o : o * channels + i] * Double(x[i * places + place])
                }
            }
        }
    }

    private struct Batch {
        /// By slot and sample.
        var x: [[[Float]]]
        var targets: [[[Float]]]

        /// Two slots of four samples; the second has lost one.
        init(_ layer: Layer) {
            var random = CounterRandom(key: 31, UInt64(layer.places))
            func vectors(_ count: Int) -> [[[Float]]] {
                [4, 3].map { samples in
                    (0..<samples).map { _ in (0..<count).map { _ in 2 * uniform(&random) - 1 } }
                }
            }
            x = vectors(channels * layer.places)
            targets = vectors(classes * layer.places)
        }
    }

    /// Sum over all samples of a loss of (outputs, targets) over the global batch.
    private typealias SampleLoss = (_ outputs: [Double], _ targets: [Double]) -> Double

    private static func meanSquare(_ outputs: [Double], _ targets: [Double]) -> Double {
        zip(outputs, targets).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } / Double(outputs.count)
    }

    /// Mean over places of T^2 KL(teacher || outputs).
    private static func divergence(_ temperature: Double, places: Int) -> SampleLoss {
        func probabilities(_ scores: [Double], _ place: Int) -> [Double] {
            let powers = (0..<classes).map { exp(scores[$0 * places + place] / temperature) }
            return powers.map { $0 / powers.reduce(0, +) }
        }
        return { outputs, teacher in
            let sum = (0..<places).reduce(0.0) { sum, place in
                let (p, q) = (probabilities(teacher, place), probabilities(outputs, place))
                return sum + zip(p, q).reduce(0) { $0 + $1.0 * log($1.0 / $1.1) }
            }
            return temperature * temperature * sum / Double(places)
        }
    }

    private static func values(_ key: UInt64) -> [Float] {
        var random = CounterRandom(key: key, 0)
        return (0..<channels * classes + classes).map { _ in uniform(&random) - 0.5 }
    }

    private static func plan(_ layer: Layer) throws -> ReplicaPlan {
        ReplicaPlan(
            parameters: [
                .init(name: "weight", dimensions: layer.weight, quantizer: nil),
                .init(name: "bias", dimensions: [classes], quantizer: nil),
            ], activations: [], optimizer: try OptimizerSettings(.sgd(momentum: 0, nesterov: false), learningRate: 0.1),
            ranges: .static,
            weightEncodings: .follow, clipNorm: nil)
    }

    /// What a worker says of the slots of a step.
    /// - Parameters:
    ///   - original: values of the model file.
    ///   - trained: values of the state.
    private func slots(
        _ layer: Layer, _ loss: TrainingTask.Loss, original: [Float], trained: [Float], _ samples: [[Sample]]
    ) throws -> [SlotResult] {
        let plan = try Self.plan(layer)
        let size = Self.channels * Self.classes
        let replica = try TrainingReplica(
            plan,
            of: [
                "weight": Tensor(shape: Shape(layer.weight), Array(trained[..<size])),
                "bias": Tensor(shape: [Self.classes], Array(trained[size...])),
            ])
        let model = try layer.model(original)
        let open: [PassSpecification.Extent]? = layer.isOpen ? [.any, .any, .any] : nil
        var inputs = [
            PassSpecification.Input(name: "x", dimensions: layer.input, extents: open, preprocessing: nil)
        ]
        if layer.hasLoss {
            inputs.append(PassSpecification.Input(name: "targets", dimensions: layer.output, preprocessing: nil))
        }
        let task = try TrainingTask(
            PassSpecification(
                model: ArtifactID(of: model).bytes, inputs: inputs, output: "output", parameters: [:], tile: 2,
                skipsBadSamples: false),
            replica: plan, loss: loss, globalBatch: Self.globalBatch, slotBatch: Self.globalBatch, seed: 1,
            augmentation: nil, precision: .full
        ).encoded()
        let state = replica.encoded()
        let artifacts = Dictionary(
            uniqueKeysWithValues: [model, task, state].map { (ArtifactID(of: $0), $0) })
        let step = OptimizerStep(
            task: ArtifactID(of: task).bytes, step: 0, epoch: 0, learningRate: 1,
            state: replica.digest, snapshot: ArtifactID(of: state).bytes, isReduced: false)
        let isa = try #require(ComputeLibrary.supportedInstructionSets.last).rawValue
        let executor = try PassExecutors { ShardFailure(permanent: true, code: "\($0)") }.makeExecutor(
            descriptor: step.encoded(), isa: isa,
            artifacts: { try #require(artifacts[$0]) })
        let payloads = samples.map { SlotPayload(indices: Array($0.indices), samples: $0).encoded() }
        return try results(executor, payloads).map {
            try SlotResult(decoding: $0, parameterCount: Self.channels * Self.classes + Self.classes)
        }
    }

    private func results<Executor: ShardExecutor>(_ executor: Executor, _ payloads: [Data]) throws -> [Data] {
        let lane = try executor.makeLane(keeping: LaneMemory())
        return try payloads.enumerated().map { try lane.compute(executor.prepare(shard: $0, payload: $1)) }
    }

    private func samples(_ layer: Layer, _ data: Batch, targets name: String?, label: Int? = nil) -> [[Sample]] {
        zip(data.x, data.targets).map { inputs, targets in
            zip(inputs, targets).enumerated().map { index, pair in
                var arrays = ["x": Tensor(shape: Shape(layer.input), pair.0)]
                if let name { arrays[name] = Tensor(shape: Shape(layer.output), pair.1) }
                return Sample(key: "\(index)", source: "x.npz", content: .arrays(arrays), label: label)
            }
        }
    }

    /// The slots add up to the loss and to its central differences.
    private func expect(
        _ slots: [SlotResult], areOf loss: SampleLoss, _ layer: Layer, at values: [Float], _ data: Batch,
        targets: [[Double]], at location: SourceLocation = #_sourceLocation
    ) {
        func total(_ values: [Double]) -> Double {
            zip(data.x.flatMap(\.self), targets).reduce(0) { $0 + loss(layer.outputs(values, $1.0), $1.1) }
                / Double(Self.globalBatch)
        }
        let here = values.map(Double.init)
        let found = slots[0].lossAndGradient.indices.map { index in
            slots.reduce(0.0) { $0 + Double($1.lossAndGradient[index]) }
        }
        let value = total(here)
        #expect(value > 0.01, sourceLocation: location)
        #expect(abs(found[0] - value) <= 1e-6 * value, "\(found[0]), \(value)", sourceLocation: location)
        let step = 1e-5
        let differences = here.indices.map { index in
            var (below, above) = (here, here)
            below[index] -= step
            above[index] += step
            return (total(above) - total(below)) / (2 * step)
        }
        let scale = differences.map(\.magnitude).max() ?? 0
        #expect(scale > 0.01, sourceLocation: location)
        for (index, (left, right)) in zip(found.dropFirst(), differences).enumerated() {
            #expect(abs(left - right) <= 2e-6 * scale, "\(index): \(left), \(right)", sourceLocation: location)
        }
    }

    @Test(arguments: [1, 4]) func `the squared error of targets`(_ places: Int) throws {
        let layer = Layer(places: places)
        let (data, values) = (Batch(layer), Self.values(7))
        let targets = PassSpecification.Input(name: "output", dimensions: layer.output, preprocessing: nil)
        let slots = try slots(
            layer, .meanSquaredError(targets: targets), original: Self.values(8), trained: values,
            samples(layer, data, targets: "output"))
        expect(
            slots, areOf: Self.meanSquare, layer, at: values, data,
            targets: data.targets.flatMap(\.self).map { $0.map(Double.init) })
        #expect(slots.map(\.samples) == [4, 3])
        #expect(slots.map(\.labelled) == [0, 0])
    }

    @Test(arguments: [1, 4]) func `the squared error of the FP32 model's outputs`(_ places: Int) throws {
        let layer = Layer(places: places)
        let (data, values, original) = (Batch(layer), Self.values(7), Self.values(8))
        let slots = try slots(
            layer, .meanSquaredError(targets: nil), original: original, trained: values,
            samples(layer, data, targets: nil))
        let teacher = data.x.flatMap(\.self).map { layer.outputs(original.map(Double.init), $0) }
        expect(slots, areOf: Self.meanSquare, layer, at: values, data, targets: teacher)
    }

    /// Contiguous classes, and classes before the places.
    @Test(arguments: [(1, 1.0), (1, 3), (4, 1), (4, 2.5)])
    func `the divergence from the FP32 model`(_ places: Int, _ temperature: Double) throws {
        let layer = Layer(places: places)
        let (data, values, original) = (Batch(layer), Self.values(7), Self.values(8))
        let slots = try slots(
            layer, .distillation(temperature: temperature, axis: 1), original: original,
            trained: values, samples(layer, data, targets: nil))
        let teacher = data.x.flatMap(\.self).map { layer.outputs(original.map(Double.init), $0) }
        expect(
            slots, areOf: Self.divergence(temperature, places: places), layer, at: values, data, targets: teacher)
    }

    /// Samples of different shapes in one slot are what they are in slots of their own, whatever they are compared with.
    @Test(arguments: [true, false]) func `shapes are added up`(_ hasTargets: Bool) throws {
        let layer = Layer(places: 4, isOpen: true)
        let targets = PassSpecification.Input(
            name: "output", dimensions: layer.output, extents: [.any, .any, .any], preprocessing: nil)
        let loss =
            hasTargets
            ? TrainingTask.Loss.meanSquaredError(targets: targets) : .distillation(temperature: 2, axis: 1)
        var random = CounterRandom(key: 91, 0)
        let samples = [4, 2, 4, 6, 2, 4].enumerated().map { index, places in
            func array(_ channels: Int) -> Tensor {
                Tensor(
                    shape: [channels, 2, places / 2],
                    (0..<channels * places).map { _ in 2 * uniform(&random) - 1 })
            }
            let arrays = ["x": array(Self.channels), "output": array(Self.classes)]
            return Sample(key: "\(index)", source: "x.tar", content: .arrays(arrays))
        }
        func run(_ slots: [[Sample]]) throws -> [SlotResult] {
            try self.slots(layer, loss, original: Self.values(8), trained: Self.values(7), slots)
        }
        let together = try run([samples])[0]
        let apart = try run(samples.map { [$0] })
        #expect(together.samples == 6)
        let scale = together.lossAndGradient.map(\.magnitude).max() ?? 0
        #expect(scale > 0.01)
        for index in together.lossAndGradient.indices {
            let sum = apart.reduce(0.0) { $0 + Double($1.lossAndGradient[index]) }
            #expect(abs(Double(together.lossAndGradient[index]) - sum) <= 2e-6 * Double(scale), "\(index)")
        }
        // The slot is a function of its samples alone.
        #expect(try run([samples])[0] == together)
    }

    /// A graph that computes the squared error itself: the same, although a slot has lost a sample.
    @Test(arguments: [1, 4]) func `an output of the model`(_ places: Int) throws {
        let (layer, plain) = (Layer(places: places, hasLoss: true), Layer(places: places))
        let (data, values) = (Batch(layer), Self.values(7))
        let found = try slots(
            layer, .output("loss"), original: Self.values(8), trained: values,
            samples(layer, data, targets: "targets"))
        // A mean over the slot's samples, of which there are fewer than the slot should have.
        expect(
            found, areOf: Self.meanSquare, layer, at: values, data,
            targets: data.targets.flatMap(\.self).map { $0.map(Double.init) })
        let targets = PassSpecification.Input(name: "output", dimensions: layer.output, preprocessing: nil)
        let expected = try slots(
            plain, .meanSquaredError(targets: targets), original: Self.values(8), trained: values,
            samples(plain, data, targets: "output"))
        for (found, expected) in zip(found, expected) {
            let scale = expected.lossAndGradient.map(\.magnitude).max() ?? 0
            for (left, right) in zip(found.lossAndGradient, expected.lossAndGradient) {
                #expect(abs(left - right) <= 3e-7 * scale)
            }
        }
    }

    /// Accuracy is counted where there are labels, and only where they are classes.
    @Test(arguments: [(nil, 0), (2, 4), (Self.classes, 0)] as [(Int?, Int)])
    func `labels that the loss does not need`(_ label: Int?, _ labelled: Int) throws {
        let layer = Layer(places: 1)
        let data = Batch(layer)
        let values = [Float](repeating: 0, count: 12) + [0, 0, 1, 0]
        let slots = try slots(
            layer, .distillation(temperature: 1, axis: 1), original: Self.values(8),
            trained: values, samples(layer, data, targets: nil, label: label))
        #expect(slots[0].labelled == labelled)
        #expect(slots[0].correct == labelled)
    }

    @Test func `rows of classes are scattered back to where they were`() {
        for (extents, axis) in [([2, 3, 4], 1), ([2, 3], 1), ([2, 3, 2, 2], 2), ([1, 5, 1, 1], 1)] {
            let shape = Shape(extents)
            let elements = (0..<shape.count).map(Float.init)
            let stride = extents[(axis + 1)...].reduce(1, *)
            let rows = ClassRows(of: shape.count, length: extents[axis], stride: stride)
            let gathered = elements.withUnsafeBufferPointer(rows.gathered)
            // Neighbours in a row are neighbours on the axis.
            for row in 0..<rows.count {
                let own = gathered[row * extents[axis]..<(row + 1) * extents[axis]]
                #expect(zip(own, own.dropFirst()).allSatisfy { $1 - $0 == Float(stride) })
            }
            #expect(Set(gathered) == Set(elements))
            var scattered = [Float](repeating: -1, count: shape.count)
            scattered.withUnsafeMutableBufferPointer { rows.scatter(gathered, to: $0) }
            #expect(scattered == elements)
        }
    }
}

/// In [0, 1).
private func uniform(_ random: inout CounterRandom) -> Float { Float(random.next() >> 40) / Float(1 << 24) }
