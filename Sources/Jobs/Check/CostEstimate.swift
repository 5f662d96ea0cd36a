import Datasets
import Execution
import Foundation
import JobFile
import ONNX
import Passes
import Tensors

/// What a job costs in memory and time, from a plan of its model and the timing of a few samples on this machine.
struct CostEstimate {
    /// Bytes of a lane's arena, of a worker's weights, and of a shard's decoded samples.
    let arena, weights, samples: Int
    /// One lane's samples per second through the FP32 model, decoding included.
    let samplesPerSecond: Double
    /// Forward passes of one sample, all stages together, a training step counted as three.
    let forwardPasses: Int
    private let lanes = ProcessInfo.processInfo.activeProcessorCount

    /// A step's backward pass costs about two forward passes.
    private static let passesPerTrainingSample = 3
    /// Until then tiles are timed.
    private static let seconds = 2.0

    /// - Throws: what reading the samples and compiling the model throw.
    init(
        _ job: JobFile, _ preparation: ModelPreparation, calibration: DatasetSource, training: DatasetSource?,
        evaluation: DatasetSource?
    ) throws {
        let pass = PassSpecification(
            model: Data(), inputs: preparation.inputs, output: preparation.output, parameters: [:],
            tile: preparation.tile, batch: job.dataset.batch, skipsBadSamples: job.dataset.onBadSample == .skip)
        let graph = preparation.computed
        let lane = ModelLane(SharedModel(graph), taps: [])
        arena = try lane.arenaByteCount(of: pass.tileShapes)
        weights = graph.constants.values.reduce(0) { $0 + $1.count * $1.elementType.size }
        let shards = try SampleShards(
            calibration, inputElements: pass.inputElements, batch: job.dataset.batch,
            mayVary: pass.mayVary, skipsBadSamples: pass.skipsBadSamples)
        samples = min(shards.shardSize, shards.sampleCount) * pass.inputs.byteCount

        let (decoding, tiles) = (SampleDecoding(pass), SampleTiles(graph, pass))
        let stream = try calibration.open()
        var (timed, spent) = (0, 0.0)
        while spent < Self.seconds {
            var batch: [Sample] = []
            let began = Date()
            while batch.count < pass.tile, let sample = try job.nextSample(of: stream) { batch.append(sample) }
            guard !batch.isEmpty else { break }
            try decoding.batches(of: batch).forEach { part in
                for group in part.groups { try lane.run(group, tiles: tiles.tiles(of: group)) }
            }
            // The first tile lays weights and arena out in memory, which a run does once.
            if timed > 0 || batch.count < pass.tile { spent += Date().timeIntervalSince(began) }
            timed += batch.count
            if timed > 0, spent == 0 { spent = .leastNonzeroMagnitude }
        }
        let measured = max(timed - (timed > pass.tile ? pass.tile : 0), 1)
        samplesPerSecond = Double(measured) / max(spent, 1e-6)

        let evaluated = try evaluation?.count() ?? 0
        var passes = try calibration.count() + 2 * evaluated
        if let settings = job.training, let training {
            let steps = settings.stepCount(stepsPerEpoch: try training.count() / settings.globalBatch)
            passes += Self.passesPerTrainingSample * steps * settings.globalBatch
            passes += evaluated * max(1, steps / max(1, try training.count() / settings.globalBatch))
        }
        forwardPasses = passes
    }

    var lines: [String] {
        func megabytes(_ bytes: Int) -> String { String(format: "%.1f MB", Double(bytes) / 1e6) }
        let seconds = Double(forwardPasses) / samplesPerSecond / Double(lanes)
        return [
            "memory of a worker: about \(megabytes(weights)) of weights and, for each lane, "
                + "\(megabytes(arena + 2 * samples)), beside the program's own; statistics and training come on top",
            "time: about \(Self.duration(seconds)) with the \(lanes) lanes of this machine, for \(forwardPasses) samples "
                + "through the model at \(String(format: "%.1f", samplesPerSecond)) a second and lane, as a few took here",
        ]
    }

    private static func duration(_ seconds: Double) -> String {
        switch seconds {
        case ..<1: "a second"
        case ..<120: "\(Int(seconds.rounded(.up))) s"
        case ..<7200: "\(Int((seconds / 60).rounded(.up))) min"
        default: String(format: "%.1f h", seconds / 3600)
        }
    }
}

extension JobFile {
    /// The next sample that can be read, where bad ones are left out.
    fileprivate func nextSample(of stream: any SampleStream) throws -> Sample? {
        while true {
            do {
                return try stream.next()
            } catch let error as DatasetError where error.isBadSample && dataset.onBadSample == .skip {
                continue
            }
        }
    }
}
