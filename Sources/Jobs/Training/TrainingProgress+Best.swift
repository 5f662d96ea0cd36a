// Which epoch's weights are the job's result, and when no better ones are expected. Both follow from the progress alone, so a
// resumed job decides as an undisturbed one does.
extension TrainingProgress {
    /// The epoch with the highest top-1 in its evaluation, of equal ones the earliest: more training that gains nothing is
    /// not preferred. Nil where no evaluation had labels.
    package var best: Epoch? {
        var best: (epoch: Epoch, result: EvaluationResult)?
        for epoch in epochs {
            guard let result = epoch.evaluation?.result, result.isLabelled else { continue }
            if let best, !result.isBetter(than: best.result) { continue }
            best = (epoch, result)
        }
        return best?.epoch
    }

    /// Steps taken until the end of the best epoch.
    package var bestStep: Int? {
        guard let best else { return nil }
        return epochs.reduce(0) { $0 + ($1.epoch <= best.epoch ? $1.steps : 0) }
    }

    /// Whether the last evaluation says that training is to stop.
    /// - Parameter patience: epochs since the best one after which no better one is expected; nil for all of them.
    package func isExhausted(patience: Int?) -> Bool {
        guard let patience, let best, let last = epochs.last, last.evaluation != nil else { return false }
        return last.epoch - best.epoch >= patience
    }
}

extension EvaluationResult {
    /// Whether a larger part of the samples was right, compared without rounding.
    fileprivate func isBetter(than other: EvaluationResult) -> Bool {
        top1.multipliedFullWidth(by: other.samples) > other.top1.multipliedFullWidth(by: samples)
    }
}
