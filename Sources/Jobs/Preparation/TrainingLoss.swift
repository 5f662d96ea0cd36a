import Datasets
import Execution
import Foundation
import Graph
import JobFile
import Nodes
import ONNX
import Operators
import Passes
import Tensors

/// The loss of a job's training, with what it needs of the model and the samples.
struct TrainingLoss: Sendable {
    let task: TrainingTask.Loss
    /// What workers train, as a file: the model and the nodes of its loss. Nil where the loss is no part of the model.
    let artifact: PackedModel?
    /// Of what workers train.
    let inputs: [PassSpecification.Input]

    /// - Parameters:
    ///   - whole: the graph with the nodes of its loss.
    ///   - model: the graph without them.
    ///   - inputs: of the model.
    ///   - source: training samples; the first one tells whether they have targets, and the extents of further inputs.
    /// - Throws: `JobError`, `GraphError` or `DatasetError` where model, samples and loss do not fit.
    init(
        _ job: JobFile, _ whole: Graph, over file: ONNXFile, evaluated model: Graph,
        _ inputs: [PassSpecification.Input],
        source: DatasetSource
    ) throws {
        guard let training = job.training, let output = model.outputs.first?.name else {
            preconditionFailure("the loss of a job that does not train")
        }
        guard let first = try job.firstSample(of: source) else { throw job.noSample("dataset.training") }
        var loss: String?
        if case .output(let name) = training.loss { loss = name }
        // Where extents differ, those of all inputs are of one sample.
        let mayVary = inputs.contains(where: \.mayVary)
        let example = loss != nil && mayVary ? try job.largestSample(of: source) ?? first : first
        self.inputs =
            loss == nil ? inputs : try Self.inputs(of: whole, beside: mayVary ? [] : inputs, in: example)
        let slotSize = training.globalBatch / training.slots
        try Self.checkSlots(job, self.inputs, size: slotSize, source)
        let trained = try (loss == nil ? model : whole).forTiles(self.inputs, batch: slotSize, loss: loss)
        let slot = try trained.specialized(inputShapes: self.inputs.shapes(samples: slotSize))
        artifact = loss == nil ? nil : try trained.exported(over: file).packed()
        guard let type = slot.types[output], type.elementType == .float32 else {
            throw GraphError(
                .unsupportedElementType, tensor: output,
                expected: "a first output of float32, for the loss and accuracy",
                found: slot.types[output]?.elementType.rawValue ?? "none")
        }
        let shape = type.shape.dimensions
        switch training.loss {
        case .crossEntropy: task = .crossEntropy
        case .mse:
            task = .meanSquaredError(
                targets: try Self.targets(
                    output, Array(shape.dropFirst(self.inputs.haveSampleAxis ? 1 : 0)), mayVary: mayVary, in: first))
        case .distillation(let temperature, let axis):
            task = .distillation(temperature: temperature, axis: try Self.axis(axis, of: output, shape, job))
        case .output(let name):
            try ExecutionSupport.check(slot)
            let type = slot.types[name]
            guard type?.elementType == .float32, type?.shape.count == 1 else {
                throw GraphError(
                    .shapeMismatch, tensor: name, expected: "a loss of one float32 element",
                    found: type.map { "\($0.elementType.rawValue) \($0.shape)" })
            }
            task = .output(name)
        }
    }

    /// The model's inputs, and those that only the loss takes.
    private static func inputs(
        of graph: Graph, beside known: [PassSpecification.Input], in sample: Sample
    ) throws -> [PassSpecification.Input] {
        try graph.inputs.map { input in
            if let known = known.first(where: { $0.name == input.name }) { return known }
            guard case .arrays(let arrays) = sample.content else {
                throw DatasetError(
                    .missingContent, file: sample.source, key: sample.key, expected: "an array named \(input.name)",
                    found: "an image")
            }
            return try graph.arrayInput(input, in: arrays, of: sample)
        }
    }

    /// Whether a slot can be computed as it is: together, and with the statistics of all its samples where batch norms train on them.
    private static func checkSlots(
        _ job: JobFile, _ inputs: [PassSpecification.Input], size: Int, _ source: DatasetSource
    ) throws {
        if let whole = inputs.first(where: { !$0.hasSampleAxis }), size > 1 {
            throw job.error(
                .conflictingKeys, key: "training.slots",
                expected: "as many as training.global_batch, as input \(whole.name) has no axis of samples",
                found: "slots of \(size) samples")
        }
        guard job.training?.batchNorms == .kept, inputs.contains(where: \.mayVary),
            let found = try job.differentShapes(in: source)
        else { return }
        throw job.error(
            .conflictingKeys, key: "training.batch_norms",
            expected:
                "folded or frozen, or training samples of one shape: kept batch norms take the statistics of a slot",
            found: found)
    }

    /// The samples' arrays that are named as the output; nil where they have none.
    private static func targets(
        _ output: String, _ dimensions: [Int], mayVary: Bool, in sample: Sample
    ) throws -> PassSpecification.Input? {
        guard case .arrays(let arrays) = sample.content, let array = arrays[output] else { return nil }
        guard mayVary ? array.shape.rank == dimensions.count : array.shape.dimensions == dimensions else {
            throw DatasetError(
                .corruptArray, file: sample.source, key: sample.key,
                expected: "targets \(output) of shape \(Shape(dimensions))", found: "\(array.shape)")
        }
        return PassSpecification.Input(
            name: output, dimensions: dimensions, extents: mayVary ? dimensions.map { _ in .any } : nil,
            preprocessing: nil)
    }

    private static func axis(_ axis: Int, of output: String, _ shape: [Int], _ job: JobFile) throws -> Int {
        let resolved = axis < 0 ? shape.count + axis : axis
        guard resolved > 0, resolved < shape.count, shape[resolved] > 1 else {
            throw job.error(
                .conflictingKeys, key: "training.loss",
                expected: "an axis with two classes or more for distillation (here axis \(axis))",
                found: "an output \(output) of shape \(Shape(shape))")
        }
        return resolved
    }
}
