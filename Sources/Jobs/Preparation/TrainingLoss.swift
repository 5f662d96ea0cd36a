import Datasets
import Execution
import Foundation
import Graph
import JobFile
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
        guard let first = try job.firstSample(of: source) else {
            throw job.error(
                .outOfRange, key: "dataset.training", expected: "at least one sample that can be read", found: "none")
        }
        var loss: String?
        if case .output(let name) = training.loss { loss = name }
        self.inputs = loss == nil ? inputs : try Self.inputs(of: whole, beside: inputs, in: first)
        let slotSize = training.globalBatch / training.slots
        let trained = try (loss == nil ? model : whole).forTiles(self.inputs, batch: slotSize, loss: loss)
        let slot = try trained.specialized(inputShapes: self.inputs.shapes(samples: slotSize))
        artifact = loss == nil ? nil : try trained.exported(over: file).packed()
        let shape = slot.types[output]?.shape.dimensions ?? []
        switch training.loss {
        case .crossEntropy: task = .crossEntropy
        case .mse: task = .meanSquaredError(targets: try Self.targets(output, Array(shape.dropFirst()), in: first))
        case .distillation(let temperature, let axis):
            let axis = try Self.axis(axis, of: output, shape, job)
            task = .distillation(
                temperature: temperature, classes: shape[axis], stride: shape[(axis + 1)...].reduce(1, *))
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
            guard case .arrays(let arrays) = sample.content, let array = arrays[input.name] else {
                throw DatasetError(
                    .missingContent, file: sample.source, key: sample.key, expected: "an array named \(input.name)",
                    found: sample.contentNames)
            }
            return PassSpecification.Input(name: input.name, dimensions: array.shape.dimensions, preprocessing: nil)
        }
    }

    /// The samples' arrays that are named as the output; nil where they have none.
    private static func targets(
        _ output: String, _ dimensions: [Int], in sample: Sample
    ) throws -> PassSpecification.Input? {
        guard case .arrays(let arrays) = sample.content, let array = arrays[output] else { return nil }
        guard array.shape.dimensions == dimensions else {
            throw DatasetError(
                .corruptArray, file: sample.source, key: sample.key,
                expected: "targets \(output) of shape \(Shape(dimensions))", found: "\(array.shape)")
        }
        return PassSpecification.Input(name: output, dimensions: dimensions, preprocessing: nil)
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

extension Sample {
    /// What the sample holds, for errors.
    fileprivate var contentNames: String {
        switch content {
        case .image: "an image"
        case .arrays(let arrays): arrays.keys.sorted().joined(separator: ", ")
        }
    }
}
