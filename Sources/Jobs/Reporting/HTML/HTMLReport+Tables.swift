import Foundation

extension HTMLReport {
    var tables: [Markup] {
        section("Accuracy", accuracy) + section("Throughput", throughput) + section("Stages", stages)
            + section("Digests", .element("p", [:], "Equal for any number of workers (SHA-256)."), digests)
            + section("Job", settings) + section("Run", run)
    }

    private var accuracy: Markup {
        var table = PageTable([
            .init(title: "model"), .init(title: "top-1", isNumber: true), .init(title: "top-5", isNumber: true),
        ])
        for (name, top1, top5) in [
            ("FP32", report.accuracy.fp32, report.accuracyTop5.fp32),
            ("quantized", report.accuracy.quantized, report.accuracyTop5.quantized),
            ("trained", report.accuracy.trained, report.accuracyTop5.trained),
        ] where top1 != nil {
            table.append([name, percent(top1), percent(top5)])
        }
        return table.markup()
    }

    private var throughput: Markup {
        var table = PageTable([
            .init(title: "stage"), .init(title: "samples", isNumber: true), .init(title: "skipped", isNumber: true),
            .init(title: "samples per second", isNumber: true),
        ])
        for (name, samples, skipped, rate) in [
            ("calibration", report.samples.calibration, report.skipped.calibration, report.throughput.calibration),
            ("evaluation", report.samples.evaluation, report.skipped.evaluation, report.throughput.evaluation),
            ("training", report.samples.training, report.skipped.training, report.throughput.training),
        ] {
            guard let samples else { continue }
            table.append([
                name, grouped(samples), grouped(skipped ?? 0), rate.map { String(format: "%.1f", $0) } ?? "",
            ])
        }
        return table.markup()
    }

    private var stages: Markup {
        var table = PageTable([
            .init(title: "stage"), .init(title: "samples", isNumber: true), .init(title: "seconds", isNumber: true),
            .init(title: "top-1", isNumber: true),
        ])
        for stage in report.stages {
            table.append([
                stage.name, stage.samples.map(grouped) ?? "", String(format: "%.2f", stage.seconds),
                percent(stage.top1Percent),
            ])
        }
        return table.markup()
    }

    private var digests: Markup {
        var table = PageTable([.init(title: "of"), .init(title: "digest")])
        for (name, digest) in [("encodings", report.digest.encodings), ("weights", report.digest.weights)] {
            if let digest { table.append([name, digest]) }
        }
        return table.markup()
    }

    private var settings: Markup {
        var table = PageTable([.init(title: "key"), .init(title: "value"), .init(title: "")])
        for (key, value) in JobSettings.of(report.job) {
            table.append([key, value, report.job.lines[key] == nil ? "default" : ""])
        }
        return table.markup()
    }

    private var run: Markup {
        var table = PageTable([.init(title: "what"), .init(title: "value")])
        table.append(["QuantSim", report.versions.quantsim])
        for (name, version) in report.versions.libraries.sorted(by: { $0.key < $1.key }) {
            table.append([name, version])
        }
        table.append(["instruction set", report.instructionSet])
        table.append(["workers seen", "\(report.workers.seen)"])
        for (name, bytes) in [
            ("coordinator's peak memory", report.peakMemory.coordinator),
            ("a worker's peak memory, the largest", report.peakMemory.worker),
        ] {
            if let bytes { table.append([name, "\(grouped(bytes >> 20)) MiB"]) }
        }
        return table.markup()
    }
}
