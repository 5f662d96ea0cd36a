import Foundation
import Training

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

extension OptimizerSettings {
    fileprivate var description: String {
        var fields = ["\(rule.name.rawValue) with learning rate \(plain(learningRate))"]
        switch rule {
        case .sgd(let momentum, let nesterov):
            fields.append("momentum \(plain(momentum))" + (nesterov ? " (Nesterov)" : ""))
        case .adam(let beta1, let beta2, let epsilon), .adamW(let beta1, let beta2, let epsilon):
            fields += ["betas \(plain(beta1)) and \(plain(beta2))", "epsilon \(plain(epsilon))"]
        }
        fields.append("weight decay \(plain(weightDecay))")
        return fields.joined(separator: ", ")
    }
}

extension Schedule {
    fileprivate var description: String {
        let text =
            switch decay {
            case .constant: "constant rate"
            case .divide(let divisor, let epochs):
                "rate divided by \(plain(divisor)) every \(counted(epochs, "epoch"))"
            case .cosine(let finalShare): "rate falls as a cosine to \(plain(finalShare)) of it"
            }
        return warmUpSteps > 0 ? "\(text), warm-up of \(counted(warmUpSteps, "step"))" : text
    }
}

/// As short as people write it.
private func plain(_ number: Double) -> String { String(format: "%.7g", number) }

private func counted(_ count: Int, _ noun: String) -> String { count == 1 ? "1 \(noun)" : "\(count) \(noun)s" }
