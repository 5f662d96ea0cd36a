import Foundation
import Quantization
import Simulation
import Support
import Tensors
import Training

/// The state of a training: weights in full resolution (shadow weights), learned ranges, and the optimizer's. A step is a pure
/// function of the state and the gradient summed over all slots, so whoever takes it holds the same bits.
package struct TrainingReplica: Sendable {
    /// What the state is made of.
    package let plan: ReplicaPlan
    /// Elements of `values` by tensor.
    package let layout: ParameterLayout
    /// Elements that slots have gradients of: the first of `values`.
    package let gradientCount: Int
    /// The whole state but the optimizer's, as `layout` says.
    package internal(set) var values: [Float]
    /// With the moments of all `values`.
    package private(set) var optimizer: Optimizer
    /// Of the current weights, by parameter.
    package private(set) var parameterEncodings: [String: TensorEncodings] = [:]
    /// By tensor.
    package private(set) var activationEncodings: [String: TensorEncodings] = [:]

    /// The state before the first step.
    package init(_ plan: ReplicaPlan, of constants: [String: Tensor]) throws {
        let layout = try plan.stateLayout()
        var tensors = constants
        tensors[ReplicaPlan.gapKey] = plan.gap.map { Tensor(shape: [$0], [Float](repeating: 0, count: $0)) }
        for activation in plan.learnedActivations {
            tensors[ReplicaPlan.activationKey(activation.name)] = Self.ranges(of: activation.start)
        }
        for parameter in plan.parameters {
            guard plan.isLearned(parameter), let quantizer = parameter.quantizer else { continue }
            tensors[ReplicaPlan.parameterKey(parameter.name)] = Self.ranges(of: quantizer.start)
        }
        try self.init(
            plan, layout, values: layout.vector(of: tensors), optimizer: Optimizer(plan.optimizer, count: layout.count))
    }

    /// The state that a checkpoint holds.
    /// - Throws: `TrainingError` where it has other tensors than the plan.
    package init(_ plan: ReplicaPlan, from checkpoint: Checkpoint) throws {
        let layout = try plan.stateLayout()
        let (values, optimizer) = try checkpoint.restored(layout: layout, settings: plan.optimizer)
        try self.init(plan, layout, values: values, optimizer: optimizer)
    }

    init(_ plan: ReplicaPlan, _ layout: ParameterLayout, values: [Float], optimizer: Optimizer) throws {
        self.plan = plan
        self.layout = layout
        gradientCount = try plan.gradientLayout().count
        self.values = values
        self.optimizer = optimizer
        for activation in plan.activations {
            for tensor in activation.tensors { activationEncodings[tensor] = activation.start }
        }
        for parameter in plan.parameters { parameterEncodings[parameter.name] = parameter.quantizer?.start }
        // Before the first step too: a state that was written and read again is the same.
        refreshEncodings()
    }

    /// The state as a checkpoint, under the names of the layout.
    package func checkpoint(_ manifest: Checkpoint.Manifest) -> Checkpoint {
        Checkpoint(manifest, layout: layout, parameters: values, optimizer: optimizer)
    }

    /// The constants that training changes: the trained ones, in full resolution, and the running values of batch norms.
    package var weights: [(name: String, tensor: Tensor)] {
        constants.map { name, shape in (name, Tensor(shape: shape, Array(values[layout.range(of: name) ?? 0..<0]))) }
    }

    private var constants: [(name: String, shape: Shape)] {
        plan.parameters.map { ($0.name, $0.shape) } + (plan.batchNorms?.entries ?? [])
    }

    /// The trained constants as lanes compute with them: rounded to their grids.
    package func simulatedWeights() throws -> [String: Tensor] {
        var tensors: [String: Tensor] = [:]
        for (name, shape) in constants {
            let elements = layout.range(of: name) ?? 0..<0
            let quantizer = try parameterEncodings[name].map { try FakeQuantizer($0, shape: shape) }
            tensors[name] =
                quantizer.map { quantizer in
                    values.withUnsafeBufferPointer {
                        quantizer.applied(to: UnsafeBufferPointer(rebasing: $0[elements]), shape: shape)
                    }
                } ?? Tensor(shape: shape, Array(values[elements]))
        }
        return tensors
    }

    /// Takes the optimizer's step.
    /// - Parameter gradient: [gradientCount], of the mean loss of the global batch with respect to the rounded weights and the
    ///   ranges of activations; behind it what the slots contribute to running values.
    /// - Throws: `TrainingError(.notFinite)` with the first element that a step too long has made infinite.
    package mutating func step(gradient: [Float], learningRate: Double) throws {
        precondition(gradient.count == gradientCount, "\(gradient.count) gradients of \(gradientCount)")
        var gradient = gradient
        let (running, statistics) = (self.running, takeStatistics(outOf: &gradient))
        try passThroughQuantizers(&gradient)
        if let norm = plan.clipNorm { GradientClipping.clip(&gradient, maximumNorm: norm) }
        // Ranges do not decay: they would shrink below what the values need.
        let weightCount = plan.parameters.reduce(0) { $0 + $1.shape.count }
        optimizer.step(parameters: &values, gradients: gradient, learningRate: learningRate, decayed: weightCount)
        update(running, by: statistics)
        if let index = values.firstIndex(where: { !$0.isFinite }) {
            throw TrainingError(.notFinite, index: index, found: "a weight of \(values[index])").located(in: layout)
        }
        refreshEncodings()
    }

    /// The straight-through estimator for the weights: no gradient where one is clipped; behind the gradient of the weights
    /// come those of their ranges, where these are learned.
    private func passThroughQuantizers(_ gradient: inout [Float]) throws {
        var ofRanges: [Float] = []
        for parameter in plan.parameters {
            guard let encodings = parameterEncodings[parameter.name], let range = layout.range(of: parameter.name)
            else { continue }
            let estimator = try StraightThrough(encodings, shape: parameter.shape)
            values.withUnsafeBufferPointer { values in
                gradient.withUnsafeMutableBufferPointer { gradient in
                    let sums = estimator.backward(
                        inPlace: UnsafeMutableBufferPointer(rebasing: gradient[range]),
                        values: UnsafeBufferPointer(rebasing: values[range]))
                    guard plan.isLearned(parameter) else { return }
                    for (channel, sum) in sums.enumerated() {
                        let slopes = learnedRange(parameter, channel).gradient(sum)
                        ofRanges += [slopes.min, slopes.max]
                    }
                }
            }
        }
        gradient += ofRanges
    }

    private func learnedRange(_ parameter: ReplicaPlan.Parameter, _ channel: Int) -> LearnedRange {
        guard let quantizer = parameter.quantizer,
            let range = layout.range(of: ReplicaPlan.parameterKey(parameter.name))
        else { preconditionFailure("\(parameter.name) has no learned range") }
        return learnedRange(at: range.lowerBound + 2 * channel, like: quantizer.start.encodings[channel])
    }

    private func learnedRange(at index: Int, like start: Encoding) -> LearnedRange {
        var range = LearnedRange(start)
        (range.min, range.max) = (values[index], values[index + 1])
        return range
    }

    /// The range of an activation as it is learned; nil where it is not.
    package func learnedRange(ofActivation name: String) -> LearnedRange? {
        guard let range = layout.range(of: ReplicaPlan.activationKey(name)),
            let activation = plan.activations.first(where: { $0.name == name })
        else { return nil }
        return learnedRange(at: range.lowerBound, like: activation.start.encodings[0])
    }

    private mutating func refreshEncodings() {
        switch plan.ranges {
        case .learned:
            for activation in plan.learnedActivations {
                guard let range = learnedRange(ofActivation: activation.name) else { continue }
                for tensor in activation.tensors { activationEncodings[tensor] = TensorEncodings(range.encoding) }
            }
            for parameter in plan.parameters where plan.isLearned(parameter) {
                guard let quantizer = parameter.quantizer else { continue }
                let encodings = quantizer.start.encodings.indices.map { learnedRange(parameter, $0).encoding }
                parameterEncodings[parameter.name] = quantizer.start.replacing(encodings)
            }
        case .static where plan.weightEncodings == .follow:
            for parameter in plan.parameters {
                guard let quantizer = parameter.quantizer, !quantizer.isFrozen,
                    let range = layout.range(of: parameter.name)
                else { continue }
                let encodings = values.withUnsafeBufferPointer { values in
                    ParameterEncodings.compute(
                        UnsafeBufferPointer(rebasing: values[range]), shape: parameter.shape,
                        settings: quantizer.settings, channelAxis: quantizer.channelAxis, blocks: quantizer.blocks)
                }
                parameterEncodings[parameter.name] = encodings ?? quantizer.start
            }
        case .static: break
        }
    }

    private static func ranges(of encodings: TensorEncodings) -> Tensor {
        let ranges = encodings.encodings.map { LearnedRange($0) }
        return Tensor(shape: [ranges.count, 2], ranges.flatMap { [$0.min, $0.max] })
    }
}

// The state as bytes, all numbers little-endian: steps taken: UInt64, values, the optimizer's vectors: float32.
extension TrainingReplica {
    /// Bytes of `encoded`.
    package static func size(of plan: ReplicaPlan) throws -> Int {
        8 + 4 * (try plan.stateLayout().count) * (1 + plan.optimizer.stateNames.count)
    }

    /// The whole state.
    package func encoded() -> Data {
        var data = Data(capacity: 8 + 4 * values.count * (1 + plan.optimizer.stateNames.count))
        data.append(ByteWriter(counts: [optimizer.stepCount]).data)
        for vector in [values] + optimizer.state.map(\.vector) {
            vector.withUnsafeBytes { data.append(contentsOf: $0) }
        }
        return data
    }

    /// - Throws: `TrainingError(.lengthMismatch)` where the bytes are not a state of this plan.
    package init(_ plan: ReplicaPlan, decoding data: Data) throws {
        let layout = try plan.stateLayout()
        let size = try Self.size(of: plan)
        guard data.count == size else {
            throw TrainingError(.lengthMismatch, key: "state", expected: "\(size) bytes", found: "\(data.count)")
        }
        var reader = ByteReader(data, record: "state")
        let steps = try reader.take(UInt64.self)
        let vectors = (0...plan.optimizer.stateNames.count).map { index in
            [Float](unsafeUninitializedCapacity: layout.count) { buffer, initialized in
                let start = data.startIndex + 8 + index * 4 * layout.count
                _ = data.copyBytes(
                    to: UnsafeMutableRawBufferPointer(buffer), from: start..<start + 4 * layout.count)
                initialized = layout.count
            }
        }
        let optimizer = try Optimizer(
            plan.optimizer, count: layout.count, stepCount: Int(clamping: steps),
            state: Dictionary(uniqueKeysWithValues: zip(plan.optimizer.stateNames, vectors.dropFirst())))
        try self.init(plan, layout, values: vectors[0], optimizer: optimizer)
    }

    /// 32 bytes: equal for equal states.
    package var digest: Data {
        var digest = StateDigest()
        digest.add(optimizer.stepCount)
        digest.add(values)
        for (_, vector) in optimizer.state { digest.add(vector) }
        return digest.finish()
    }
}
