import Datasets

// Evaluation between epochs of a training needs something to evaluate with.
extension JobFile {
    private static let evaluationKeys = ["training.patience", "training.evaluate_every_epochs"]

    func checkTrainingEvaluation() throws {
        guard dataset.evaluation == nil, let key = Self.evaluationKeys.first(where: { lines[$0] != nil }) else {
            return
        }
        throw error(.conflictingKeys, key: key, expected: "dataset.evaluation, which it needs", found: "none")
    }

    /// The samples to evaluate with, where the job does.
    /// - Throws: as `source`, and `JobError` where training is to stop by their labels and they have none.
    func evaluationSource() throws -> DatasetSource? {
        guard let evaluation = dataset.evaluation else { return nil }
        let found = try source(evaluation)
        if training?.patience != nil,
            let first = try found.firstSample(skippingBad: dataset.onBadSample == .skip), first.label == nil
        {
            throw patienceError(found: "sample \"\(first.key)\" of \(first.source) without one")
        }
        return found
    }

    func patienceError(found: String) -> JobError {
        error(
            .conflictingKeys, key: "training.patience", expected: "labels of all evaluation samples", found: found)
    }
}
