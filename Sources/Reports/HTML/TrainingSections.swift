import Foundation
import Support

extension HTMLReport {
    /// Curves and a row for every epoch; nothing where the job did not train.
    var training: [Markup] {
        guard let training = report.training else { return [] }
        return section(
            "Training", .element("p", [:], sentence(training)), accuracyPlot(training).markup(),
            lossPlot(training).markup(), learningRatePlot(training).markup(), epochs(training))
    }

    private func sentence(_ training: Report.Training) -> String {
        var text = "\(grouped(training.steps)) steps in \(grouped(training.epochs.count)) "
        text += training.epochs.count == 1 ? "epoch. " : "epochs. "
        if let epoch = training.stoppedEarlyAfterEpoch, let patience = report.job.training?.patience {
            text += "Stopped early after epoch \(epoch): \(patience) "
            text += patience == 1 ? "epoch" : "epochs"
            text += " without a better evaluation. "
        }
        let isEvaluated = training.epochs.contains { $0.evaluationAccuracy != nil }
        if training.exportedEpoch == 0 {
            return text + "No epoch was better than the model before training, which is exported."
        }
        text += "Exported are the weights of epoch \(training.exportedEpoch), "
        return text + (isEvaluated ? "the best by evaluation top-1." : "the last.")
    }

    private func accuracyPlot(_ training: Report.Training) -> Plot {
        func points(_ value: KeyPath<Report.Training.Epoch, Double?>) -> [(x: Double, y: Double)] {
            training.epochs.compactMap { epoch in
                epoch[keyPath: value].map { (Double(epoch.epoch), $0) }
            }
        }
        let isMarked = training.epochs.count <= 100
        let series = [
            Plot.Series(
                name: "evaluation", style: "s1", points: points(\.evaluationAccuracy), isMarked: isMarked),
            Plot.Series(name: "training samples", style: "s2", points: points(\.accuracy), isMarked: isMarked),
        ].filter { !$0.points.isEmpty }
        let references = [
            report.accuracy.fp32.map { Plot.Reference(name: "FP32 \(percent($0))", style: "r1", y: $0) },
            report.accuracy.quantized.map {
                Plot.Reference(name: "quantized \(percent($0))", style: "r2", y: $0)
            },
        ].compactMap(\.self)
        let exported = training.epochs.first { $0.epoch == training.exportedEpoch }
        return Plot(
            title: "Accuracy (top-1) by epoch", xTitle: "epoch", series: series, references: references,
            highlight: exported?.evaluationAccuracy.map { (Double(training.exportedEpoch), $0) }, unit: " %")
    }

    private func lossPlot(_ training: Report.Training) -> Plot {
        let curve = training.lossCurve
        let points = curve.losses.enumerated().map { index, loss in
            (x: Double(min((index + 1) * curve.stepsPerPoint, training.steps)), y: Double(loss))
        }
        let steps = curve.stepsPerPoint == 1 ? "each step" : "means over \(curve.stepsPerPoint) steps"
        return Plot(
            title: "Loss (\(steps))", xTitle: "step", series: [Plot.Series(name: "loss", style: "s1", points: points)],
            yIncludes: [0])
    }

    private func learningRatePlot(_ training: Report.Training) -> Plot {
        let points = training.epochs.map { (x: Double($0.epoch), y: $0.learningRate) }
        // A constant needs no plot.
        let isConstant = Set(training.epochs.map(\.learningRate)).count < 2
        return Plot(
            title: "Learning rate at the beginning of each epoch", xTitle: "epoch",
            series: isConstant ? [] : [Plot.Series(name: "learning rate", style: "s1", points: points, isMarked: true)],
            yIncludes: [0])
    }

    private func epochs(_ training: Report.Training) -> Markup {
        var table = PageTable([
            .init(title: "epoch", isNumber: true), .init(title: "steps", isNumber: true),
            .init(title: "learning rate", isNumber: true), .init(title: "loss", isNumber: true),
            .init(title: "training top-1", isNumber: true), .init(title: "evaluation top-1", isNumber: true),
            .init(title: "top-5", isNumber: true),
        ])
        for epoch in training.epochs {
            table.append(
                [
                    "\(epoch.epoch)", grouped(epoch.steps), String(format: "%.3g", epoch.learningRate),
                    String(format: "%.4f", epoch.loss), percent(epoch.accuracy), percent(epoch.evaluationAccuracy),
                    percent(epoch.evaluationAccuracyTop5),
                ], isHighlighted: epoch.epoch == training.exportedEpoch)
        }
        return table.markup()
    }
}
