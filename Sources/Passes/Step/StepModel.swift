import Graph
import Quantization
import Tensors
import Training

/// What the lanes of a worker compute the slots of one step with.
struct StepModel: Sendable {
    let model: SharedModel
    /// Looks at the shapes of samples.
    let tiles: SampleTiles
    /// The model before it is trained, unquantized, where the loss needs it.
    let teacher: SharedModel?
    let task: TrainingTask
    let step: OptimizerStep
    /// What is evaluated.
    var output: String { task.pass.output }
    /// Trained constants, rounded to their grids.
    let weights: [String: Tensor]
    /// Of values that change with the sample.
    let estimators: [String: StraightThrough]
    /// The learned ranges of activations.
    let ranges: [(activation: ReplicaPlan.Activation, range: LearnedRange)]
    /// The batch norms that compute with the statistics of the slot, by output.
    let normalizations: [String: TrainingReplica.Running]
    /// What slots contribute to.
    let layout: ParameterLayout

    init(
        _ replica: TrainingReplica, _ models: TrainingModels, _ task: TrainingTask, _ step: OptimizerStep
    ) throws {
        (model, tiles, teacher) = (models.trained, models.tiles, models.teacher)
        self.task = task
        self.step = step
        weights = try replica.simulatedWeights()
        estimators = try replica.activationEncodings.mapValues { try StraightThrough($0) }
        ranges = replica.plan.learnedActivations.compactMap { activation in
            replica.learnedRange(ofActivation: activation.name).map { (activation, $0) }
        }
        normalizations = Dictionary(
            uniqueKeysWithValues: replica.running.map { ($0.normalization.output, $0) })
        layout = try replica.plan.gradientLayout()
    }
}

/// The models of a training, as a worker keeps them from step to step.
struct TrainingModels: Sendable {
    /// With the constants that are not trained rounded.
    let trained: SharedModel
    /// Looks at the shapes of samples.
    let tiles: SampleTiles
    /// The model before it is trained, unquantized, where the loss needs it.
    let teacher: SharedModel?

    init(_ graph: Graph, _ task: TrainingTask) throws {
        // Trained constants are fed with every step, the others never change.
        trained = SharedModel(try graph.simulatingParameters(task.pass.parameters))
        var loss: String?
        if case .output(let name) = task.loss { loss = name }
        tiles = SampleTiles(trained.graph, task.pass, loss: loss)
        teacher = task.loss.needsTeacher ? SharedModel(graph) : nil
    }
}
