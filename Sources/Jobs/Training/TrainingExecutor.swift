import Cluster
import Datasets
import Foundation
import Tensors
import Training

/// The slots of an optimizer step.
struct TrainingExecutor: ShardExecutor {
    let specification: PassSpecification
    let model: StepModel
    let classes: Int
    /// Where the gradients of slots go; nil where they are part of the results.
    let parts: GradientParts?

    init(_ specification: PassSpecification, _ model: StepModel, parts: GradientParts?) throws {
        self.specification = specification
        self.model = model
        self.parts = parts
        classes = try model.model.classes(of: specification)
    }

    func prepare(shard: Int, payload: Data) throws -> SlotBatch {
        try reportingFailure {
            let slot = try SlotPayload(decoding: payload)
            let (task, step) = (model.task, model.step)
            return SlotBatch(
                slot: shard,
                samples: try SampleBatch(
                    decoding: slot.samples, as: specification, targets: task.loss.targets,
                    classes: task.loss == .crossEntropy ? classes : nil, needsLabels: task.loss == .crossEntropy,
                    augment: { place in
                        task.augmentation?.choice(seed: task.seed, epoch: step.epoch, sample: slot.indices[place])
                    }))
        }
    }

    func makeLane(keeping memory: LaneMemory) throws -> TrainingLane {
        TrainingLane(model, parts: parts, memory: memory.value { TrainingMemory() })
    }
}

extension SharedModel {
    /// Scores per sample of the evaluated output.
    func classes(of specification: PassSpecification) throws -> Int {
        let shapes = Dictionary(
            uniqueKeysWithValues: specification.inputs.map { ($0.name, Shape([specification.tile] + $0.dimensions)) })
        let scores = try specialized(shapes).types[specification.output]?.shape
        return scores?.dimensions.dropFirst().reduce(1, *) ?? 0
    }
}
