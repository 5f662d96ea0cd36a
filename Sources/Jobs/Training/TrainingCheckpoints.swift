import Foundation
import Passes
import Support
import Training

/// The checkpoints of a job: when they are written, and which of them it goes on from.
package struct TrainingCheckpoints {
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
    package init(_ folder: URL, job fingerprint: Data, seed: UInt64, resume: Bool) throws {
        store = try CheckpointStore(folder: folder, keeping: Self.kept, clearing: !resume)
        job = SHA256Digest(of: fingerprint).description
        self.seed = seed
    }

    /// What a training goes on from.
    package struct Saved {
        /// The state after `progress.steps` steps.
        package let replica: TrainingReplica
        /// What the report and the choice of the best epoch go on from.
        package let progress: TrainingProgress
        /// Why newer checkpoints are not gone on from, newest first.
        package let passedOver: [TrainingError]
    }

    /// The newest checkpoint that can be gone on from.
    /// - Returns: nil where the folder has none.
    /// - Throws: the newest one's error where none can be gone on from: to begin anew would lose them without a word.
    package mutating func latest(_ plan: ReplicaPlan) throws -> Saved? {
        let (found, passedOver) = try store.readLatest { checkpoint in
            try check(checkpoint)
            let progress = try progress(of: checkpoint)
            // Lost with the best one; an older one may come to it again. The state before training is in no checkpoint.
            if let best = progress.bestStep, best > 0, best != progress.steps { _ = try replica(plan, atStep: best) }
            return (replica: try TrainingReplica(plan, from: checkpoint), progress: progress)
        }
        lastBest = found?.progress.bestStep
        return found.map { Saved(replica: $0.replica, progress: $0.progress, passedOver: passedOver) }
    }

    private func progress(of checkpoint: Checkpoint) throws -> TrainingProgress {
        let note = checkpoint.manifest.notes?[Self.progressKey] ?? ""
        guard let progress = try? JSONDecoder().decode(TrainingProgress.self, from: Data(note.utf8)),
            progress.steps == checkpoint.manifest.step
        else {
            throw TrainingError(
                .malformed, file: store.folder.path, key: "step \(checkpoint.manifest.step)",
                expected: "the progress of a training")
        }
        return progress
    }

    /// The state of a checkpoint that was written, such as the best.
    func replica(_ plan: ReplicaPlan, atStep step: Int) throws -> TrainingReplica {
        let checkpoint = try store.read(step: step)
        try check(checkpoint)
        return try TrainingReplica(plan, from: checkpoint)
    }

    /// - Throws: `TrainingError(.noCheckpoint)` where it is of another job.
    private func check(_ checkpoint: Checkpoint) throws {
        guard checkpoint.manifest.digests[Self.jobKey] == job else {
            throw TrainingError(
                .noCheckpoint, file: store.folder.path, key: "step \(checkpoint.manifest.step)",
                expected: "one of this job")
        }
    }

    /// Whether the last one is old enough for another.
    var isDue: Bool { ContinuousClock.now - lastWrite >= interval }

    /// Writes the newest checkpoint; it and the one before stay, and the best ones that they go with.
    /// - Parameter epoch: of the next step.
    package mutating func write(_ replica: TrainingReplica, _ progress: TrainingProgress, epoch: Int) throws {
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
