import Foundation

extension JobFile.Training {
    /// What a training takes, defaults filled in, in lines for people.
    /// - Parameters:
    ///   - output: what is evaluated.
    ///   - hasTargets: whether the samples have arrays that the output is compared with.
    package func settings(steps: Int, stepsPerEpoch: Int, output: String, hasTargets: Bool) -> [String] {
        let length: String
        switch duration {
        case .epochs(let count): length = "\(counted(count, "epoch")) of \(counted(stepsPerEpoch, "step"))"
        case .steps: length = "\(counted(steps, "step")) (an epoch has \(stepsPerEpoch))"
        }
        let clipping = clipNorm.map { ", clip norm \(plain($0))" } ?? ""
        return [
            "training: \(length), global batch \(globalBatch) in \(counted(slots, "slot")), "
                + "loss \(loss.description(output: output, hasTargets: hasTargets))",
            "training: \(optimizer.description)\(clipping), \(schedule.description), ranges \(ranges.rawValue), "
                + "weight encodings \(weightEncodings.rawValue), gradient bits \(precision.rawValue), seed \(seed)",
        ]
    }
}

extension JobFile.Loss {
    fileprivate func description(output: String, hasTargets: Bool) -> String {
        switch self {
        case .crossEntropy: "cross_entropy"
        case .mse where hasTargets: "mse (targets: the arrays \(output))"
        case .mse: "mse (targets: the FP32 model's outputs, as the samples have no array \(output))"
        case .distillation(let temperature, let axis):
            "distillation from the FP32 model (temperature \(plain(temperature)), axis \(axis))"
        case .output(let name): "the model's output \(name)"
        }
    }
}

extension JobFile.Optimizer {
    fileprivate var description: String {
        var fields = ["\(name.rawValue) with learning rate \(plain(learningRate))"]
        if let momentum { fields.append("momentum \(plain(momentum))" + (nesterov == true ? " (Nesterov)" : "")) }
        if let betas { fields.append("betas " + betas.map(plain).joined(separator: " and ")) }
        if let epsilon { fields.append("epsilon \(plain(epsilon))") }
        fields.append("weight decay \(plain(weightDecay))")
        return fields.joined(separator: ", ")
    }
}

extension JobFile.Schedule {
    fileprivate var description: String {
        let decay =
            switch decay {
            case .constant: "constant rate"
            case .divide: "rate divided by \(plain(divideBy ?? 1)) every \(counted(everyEpochs ?? 1, "epoch"))"
            case .cosine: "rate falls as a cosine to \(plain(finalShare ?? 0)) of it"
            }
        return warmUpSteps > 0 ? "\(decay), warm-up of \(counted(warmUpSteps, "step"))" : decay
    }
}

/// As short as people write it.
private func plain(_ number: Double) -> String { String(format: "%.7g", number) }

private func counted(_ count: Int, _ noun: String) -> String { count == 1 ? "1 \(noun)" : "\(count) \(noun)s" }
