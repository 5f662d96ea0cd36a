import Execution
import Graph
import Tensors
import Training

/// Finds where a slot began to diverge, by computing its forward pass once more and looking at every value. Only done when
/// the step has failed, so it may take its time.
struct DivergenceDiagnosis {
    private let model: StepModel

    init(_ model: StepModel) {
        self.model = model
    }

    /// Names the first tensor of the forward pass, trained constants included, with an element that is not finite; where
    /// none has, the first with one that is too large. Values are looked at before they are rounded to their grids.
    /// - Parameters:
    ///   - error: of the slot's loss or gradient.
    ///   - samples: of the slot.
    /// - Returns: the error as it was where it tells of no divergence, or only the loss or the backward pass has diverged.
    func explained(_ error: TrainingError, by samples: SampleGroup) -> TrainingError {
        // What the diagnosis itself fails at is of no interest: there is an error to tell of.
        guard [.notFinite, .tooLarge].contains(error.code), let found = try? firstDiverged(samples) else {
            return error
        }
        var explained = TrainingError(
            found.code, key: found.tensor, index: found.index,
            expected: found.code == .tooLarge ? "below \(ExactSum.bound)" : nil, found: "\(found.element)")
        (explained.step, explained.slot) = (error.step, error.slot)
        return explained
    }

    private func firstDiverged(
        _ samples: SampleGroup
    ) throws -> (code: TrainingError.Code, tensor: String, index: Int, element: Float)? {
        var graph = try model.model.specialized(samples.shapes(samples: samples.count))
        let trained = model.task.replica.parameters.map(\.name)
        // Not fed: a plan that trains nothing computes the forward pass alone.
        for name in trained { graph.constants[name] = model.weights[name] }
        var order = graph.inputs
        for step in graph.steps { order += step.node.inputs.filter(trained.contains) + step.node.outputs }

        var codes: [String: TrainingError.Code] = [:]
        for name in trained {
            let elements = model.weights[name].map(Self.floats) ?? []
            codes[name] = elements.withUnsafeBufferPointer { Self.code(of: $0) }
        }
        try run(graph, samples) { tap in
            codes[tap.name] = Self.code(of: UnsafeBufferPointer(tap.elements))
            return true
        }
        let first = order.first { codes[$0] == .notFinite } ?? order.first { codes[$0] == .tooLarge }
        guard let first, let code = codes[first] else { return nil }

        let elements: [Float]
        if let weight = model.weights[first] {
            elements = Self.floats(weight)
        } else {
            // Once more, for its elements in row-major order.
            graph.outputs = [first]
            elements = try run(graph, samples) { $0.name != first }
        }
        guard let index = elements.firstIndex(where: { Self.isRefused($0, code) }) else { return nil }
        return (code, first, index, elements[index])
    }

    /// Computes the forward pass as the slot did.
    /// - Parameter tap: receives every value as it is before it is rounded, and tells whether it is to be.
    /// - Returns: the elements of the first output.
    @discardableResult
    private func run(_ graph: SpecializedGraph, _ samples: SampleGroup, tap: (Plan.Tap) -> Bool) throws -> [Float] {
        let values = Set(graph.inputs + graph.steps.flatMap(\.node.outputs).filter { !$0.isEmpty })
        let plan = try TrainingPlan(
            graph, parameters: [], taps: values, batchStatistics: Set(model.normalizations.keys))
        var mask = GradientMask()
        var output: [Float] = []
        try plan.run(
            feed: { try samples.feed($0, to: UnsafeMutableRawBufferPointer($1)) },
            typed: { try samples.feed($0, to: $1.bytes) },
            parameter: { _, _ in },
            tap: { value in
                guard tap(value) else { return }
                model.estimators[value.name]?.forward(inPlace: value.elements, recording: &mask)
            },
            loss: { plan in output = graph.outputs.first.map { Array(plan.output($0)) } ?? [] })
        return output
    }

    private static func floats(_ tensor: Tensor) -> [Float] {
        [Float](unsafeUninitializedCapacity: tensor.shape.count) { place, initialized in
            tensor.copyAsFloats(into: UnsafeMutableBufferPointer(rebasing: place[..<tensor.shape.count]))
            initialized = tensor.shape.count
        }
    }

    private static func code(of elements: UnsafeBufferPointer<Float>) -> TrainingError.Code? {
        [.notFinite, .tooLarge].first { code in elements.contains { isRefused($0, code) } }
    }

    private static func isRefused(_ element: Float, _ code: TrainingError.Code) -> Bool {
        code == .notFinite ? !element.isFinite : element.isFinite && element.magnitude >= ExactSum.bound
    }
}
