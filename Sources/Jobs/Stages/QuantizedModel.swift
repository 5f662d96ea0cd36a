import Cluster
import ClusterProtocol
import JobFile
import Passes
import Quantization

/// A job's model as one stage leaves it to the next: the graph and its encodings, and what workers fetch of it.
struct QuantizedModel {
    let preparation: ModelPreparation
    /// Of all activations, constants among them; none before calibration.
    let activations: [String: TensorEncodings]
    /// Holds `preparation.artifact`.
    let artifact: ArtifactID

    init(_ preparation: ModelPreparation, _ activations: [String: TensorEncodings] = [:], on coordinator: Coordinator) {
        self.preparation = preparation
        self.activations = activations
        artifact = coordinator.addArtifact(preparation.artifact)
    }

    private init(_ preparation: ModelPreparation, _ activations: [String: TensorEncodings], _ artifact: ArtifactID) {
        self.preparation = preparation
        self.activations = activations
        self.artifact = artifact
    }

    /// The same model, calibrated.
    func encoded(_ activations: [String: TensorEncodings]) -> QuantizedModel {
        QuantizedModel(preparation, activations, artifact)
    }

    /// The model of a pass whose constants are rounded as given.
    func pass(_ job: JobFile, parameters: [String: TensorEncodings]) -> PassSpecification {
        PassSpecification(
            model: artifact.bytes, inputs: preparation.inputs, output: preparation.output, parameters: parameters,
            tile: preparation.tile, skipsBadSamples: job.dataset.onBadSample == .skip)
    }

    func fp32Evaluation(_ job: JobFile) -> Evaluation { Evaluation(pass(job, parameters: [:]), activations: [:]) }

    func quantizedEvaluation(_ job: JobFile) -> Evaluation {
        Evaluation(
            pass(job, parameters: preparation.constantEncodings(activations)),
            activations: preparation.valueEncodings(activations))
    }
}
