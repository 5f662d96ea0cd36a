import Cluster
import ClusterProtocol
import JobFile
import ONNX
import Passes
import Quantization

/// A job's model as one stage leaves it to the next: the graph and its encodings, and what workers fetch of it.
struct QuantizedModel {
    let preparation: ModelPreparation
    /// Of all activations, constants among them; none before calibration.
    let activations: [String: TensorEncodings]
    /// Holds `preparation.artifact`.
    let artifact: ArtifactID
    /// Of the model which the job began with, before equalization.
    let probe: PassSpecification.Probe

    /// The model which a job begins with.
    init(_ preparation: ModelPreparation, on coordinator: Coordinator) {
        let artifact = coordinator.addModel(preparation.artifact)
        let given = preparation.equalization.map { coordinator.addModel($0.artifact) } ?? artifact
        self.init(
            preparation, [:], artifact,
            probe: PassSpecification.Probe(model: given.bytes, inputs: preparation.inputs, tile: preparation.tile))
    }

    private init(
        _ preparation: ModelPreparation, _ activations: [String: TensorEncodings], _ artifact: ArtifactID,
        probe: PassSpecification.Probe
    ) {
        self.preparation = preparation
        self.activations = activations
        self.artifact = artifact
        self.probe = probe
    }

    /// What a stage has made of the model, with other weights.
    func replaced(
        by preparation: ModelPreparation, _ activations: [String: TensorEncodings], on coordinator: Coordinator
    ) -> QuantizedModel {
        QuantizedModel(preparation, activations, coordinator.addModel(preparation.artifact), probe: probe)
    }

    /// The same model, calibrated.
    func encoded(_ activations: [String: TensorEncodings]) -> QuantizedModel {
        QuantizedModel(preparation, activations, artifact, probe: probe)
    }

    /// What workers fetch for a pass over the model.
    var artifacts: [ArtifactID] {
        [artifact] + (ArtifactID(bytes: probe.model).map { $0 == artifact ? [] : [$0] } ?? [])
    }

    /// The model of a pass whose constants are rounded as given.
    func pass(_ job: JobFile, parameters: [String: TensorEncodings]) -> PassSpecification {
        PassSpecification(
            model: artifact.bytes, inputs: preparation.inputs, output: preparation.output, parameters: parameters,
            tile: preparation.tile, batch: job.dataset.batch, skipsBadSamples: job.dataset.onBadSample == .skip,
            probe: probe)
    }

    /// Of the model which the job began with.
    func fp32Evaluation(_ job: JobFile) -> Evaluation {
        var given = pass(job, parameters: [:])
        given.model = probe.model
        return Evaluation(given, activations: [:])
    }

    func quantizedEvaluation(_ job: JobFile) -> Evaluation {
        Evaluation(
            pass(job, parameters: preparation.constantEncodings(activations)),
            activations: preparation.valueEncodings(activations))
    }

    /// The equalized model before anything is rounded, beside the model which the job began with.
    func equalizationAgreement(_ job: JobFile) -> Agreement {
        Agreement(Evaluation(pass(job, parameters: [:]), activations: [:]), with: probe.model)
    }

    /// Beside the model which the job began with.
    func agreement(_ job: JobFile) -> Agreement { Agreement(quantizedEvaluation(job), with: probe.model) }
}

extension PackedTensors: ArtifactContent {}

extension Coordinator {
    /// Makes a model available to workers; its tensors go with it.
    func addModel(_ model: PackedModel) -> ArtifactID {
        addArtifact(model.file, with: model.tensors.map { ($0.digest, $0) })
    }
}
