import Foundation

extension TrainingProgress {
    /// What a live line says of a training besides its samples.
    /// - Parameter loss: of the last step.
    package func note(loss: Float, epochCount: Int, stepCount: Int) -> String {
        var fields = [
            "epoch \((epochs.last?.epoch ?? 0) + 1)/\(grouped(epochCount))",
            "step \(grouped(steps))/\(grouped(stepCount))", String(format: "loss %.4f", loss),
        ]
        if let top1 = epochs.last(where: { $0.evaluation != nil })?.evaluation?.result.top1Percent {
            fields.append(String(format: "evaluation top-1 %.2f %%", top1))
        }
        return fields.joined(separator: "  ")
    }

    /// What is left on the screen of an epoch that is over.
    package var epochLine: String? {
        guard let epoch = epochs.last else { return nil }
        var fields = ["epoch \(epoch.epoch + 1)", String(format: "loss %.4f", epoch.meanLoss)]
        if let top1 = epoch.evaluation?.result.top1Percent {
            fields.append(String(format: "evaluation top-1 %.2f %%", top1))
            if best?.epoch == epoch.epoch { fields.append("best so far") }
        }
        return fields.joined(separator: "  ")
    }
}

extension Report.Training {
    /// How training ended, in a few words.
    var outcome: String {
        guard let exported = epochs.first(where: { $0.epoch == exportedEpoch }) else { return "no steps" }
        var text = "epoch \(exported.epoch) exported, loss \(String(format: "%.4f", exported.loss))"
        if let accuracy = exported.evaluationAccuracy {
            text += String(format: ", evaluation top-1 %.2f %%", accuracy)
        }
        if let epoch = stoppedEarlyAfterEpoch { text += ", stopped early after epoch \(epoch)" }
        return text
    }
}
