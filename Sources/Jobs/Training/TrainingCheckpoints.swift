import Cluster
import Foundation
import Support
import Training

/// The checkpoints of a job: when they are written, and which of them it goes on from.
struct TrainingCheckpoints {
    private static let kept = 2
    /// The least time between two within an epoch: what a crash may cost.
    private let interval = Duration.seconds(20)
    private static let jobKey = "job"
    private static let progressKey = "progress"

    private let store: CheckpointStore
    /// Of everything that the results depend on: a checkpoint of another job is not gone on from.
    private let job: String
    private let seed: UInt64
    private var lastWrite = ContinuousClock.now
    /// The step of the best checkpoint that the newest one goes with.
    private var lastBest: Int?

    /// - Parameter resume: whether to go on from what the folder holds; it is cleared otherwise.
    init(_ folder: URL, job fingerprint: Data, seed: UInt64, resume: Bool) throws {
        store = try CheckpointStore(folder: folder, keeping: Self.kept, clearing: !resume)
        job = SHA256Digest(of: fingerprint).description
        self.seed = seed
    }

    /// The newest checkpoint of this job that can be read, if there is one.
    mutating func latest(_ plan: ReplicaPlan) throws -> (replica: TrainingReplica, progress: TrainingProgress)? {
        for step in try store.steps().reversed() {
            // An older one gives the same weights in the end, so one that the disk has spoilt is passed over.
            guard let checkpoint = try? store.read(step: step), checkpoint.manifest.digests[Self.jobKey] == job,
                let note = checkpoint.manifest.notes?[Self.progressKey],
                let progress = try? JSONDecoder().decode(TrainingProgress.self, from: Data(note.utf8)),
                progress.steps == step
            else { continue }
            if let best = progress.bestStep, best != step {
                // Lost with the best one; an older one may come to it again.
                guard (try? replica(plan, atStep: best)) != nil else { continue }
            }
            lastBest = progress.bestStep
            return (try TrainingReplica(plan, from: checkpoint), progress)
        }
        return nil
    }

    /// The state of a checkpoint that was written, such as the best.
    func replica(_ plan: ReplicaPlan, atStep step: Int) throws -> TrainingReplica {
        let checkpoint = try store.read(step: step)
        guard checkpoint.manifest.digests[Self.jobKey] == job else {
            throw TrainingError(
                .noCheckpoint, file: store.folder.path, key: "step \(step)", expected: "one of this job")
        }
        return try TrainingReplica(plan, from: checkpoint)
    }

    /// Whether the last one is old enough for another.
    var isDue: Bool { ContinuousClock.now - lastWrite >= interval }

    /// Writes the newest checkpoint; it and the one before stay, and the best ones that they go with.
    /// - Parameter epoch: of the next step.
    mutating func write(_ replica: TrainingReplica, _ progress: TrainingProgress, epoch: Int) throws {
        let note = String(decoding: try JSONEncoder().encode(progress), as: UTF8.self)
        try store.write(
            replica.checkpoint(
                .init(
                    step: progress.steps, epoch: epoch, seed: seed, digests: [Self.jobKey: job],
                    notes: [Self.progressKey: note])),
            protecting: Set([progress.bestStep, lastBest].compactMap(\.self)))
        lastBest = progress.bestStep
        lastWrite = .now
    }
}
