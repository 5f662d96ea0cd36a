import Quantization
import Tensors
import Training

/// What the lanes of a worker compute the slots of one step with.
struct StepModel: Sendable {
    let model: SharedModel
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
        _ replica: TrainingReplica, _ model: SharedModel, teacher: SharedModel?, _ task: TrainingTask,
        _ step: OptimizerStep
    ) throws {
        self.model = model
        self.teacher = teacher
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
