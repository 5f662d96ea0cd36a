import Execution
import Graph
import JobFile
import Passes
import Quantization
import Tensors
import Training

extension ReplicaPlan {
    /// The training of a prepared model, as a job asks for it.
    /// - Parameter activations: encodings of all activations, constants among them.
    init(
        _ preparation: ModelPreparation, _ training: JobFile.Training, activations: [String: TensorEncodings]
    ) throws {
        let constants = preparation.graph.constants
        var quantizers: [String: ParameterQuantizer] = [:]
        var trained: Set<String> = []
        let runningValues = preparation.graph.runningValues
        for quantizer in preparation.placement.parameters
        where constants[quantizer.tensor]?.elementType == .float32 && !runningValues.contains(quantizer.tensor) {
            trained.insert(quantizer.tensor)
            guard let start = preparation.parameterEncodings[quantizer.tensor] else { continue }
            quantizers[quantizer.tensor] = ParameterQuantizer(
                settings: quantizer.settings, channelAxis: quantizer.channelAxis, blocks: quantizer.blocks,
                start: start, isFrozen: quantizer.isFixed)
        }
        var groups: [String: Activation] = [:]
        for quantizer in preparation.placement.activations where quantizer.enabled {
            guard let start = activations[quantizer.tensor] else { continue }
            // A constant's grid is part of the model.
            let isFixed = quantizer.isConstant || quantizer.isFixed
            var group =
                groups[quantizer.group]
                ?? Activation(name: quantizer.group, tensors: [], start: start, isLearned: true)
            if !quantizer.isConstant { group.tensors.append(quantizer.tensor) }
            if isFixed { group.isLearned = false }
            groups[quantizer.group] = group
        }
        self.init(
            parameters: TrainingPlan.parameterOrder(trained, in: preparation.graph).map { name in
                Parameter(name: name, dimensions: constants[name]?.shape.dimensions ?? [], quantizer: quantizers[name])
            },
            activations: groups.values.filter { !$0.tensors.isEmpty }.sorted { $0.name < $1.name },
            optimizer: training.optimizer, ranges: training.ranges,
            weightEncodings: training.weightEncodings, clipNorm: training.clipNorm,
            batchNorms: BatchNormPlan(preparation.graph, training))
    }
}

extension BatchNormPlan {
    /// What the job wants of the batch norms of a graph; nil where none is kept.
    fileprivate init?(_ graph: Graph, _ training: JobFile.Training) {
        guard training.batchNorms == .kept else { return nil }
        self.init(
            normalizations: graph.normalizations,
            rule: RunningStatistics(momentum: training.batchNormMomentum, slots: training.slots))
    }
}
