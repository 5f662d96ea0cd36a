import Foundation
import Quantization
import Support

/// A report as a page for people: one file, with its plots inside, that needs no network and no script.
package struct HTMLReport {
    let report: Report

    let analysis: AnalysisReport?

    /// - Parameter analysis: nil where the job analyzed nothing.
    package init(_ report: Report, analysis: AnalysisReport? = nil) {
        self.report = report
        self.analysis = analysis
    }

    /// The page in UTF-8. Equal reports are equal bytes.
    package func page() -> Data {
        let head = Markup.element(
            "head", [:],
            [
                .verbatim("<meta charset=\"utf-8\">"),
                .verbatim("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"),
                .element("title", [:], "\(report.job.model), QuantSim report"),
                .element("style", [:], [.verbatim(PageStyle.sheet)]),
            ])
        let body = Markup.element("body", [:], [.element("main", [:], heading + training + sensitivity + tables)])
        return Data("<!doctype html>\n<html lang=\"en\">\(head.source)\n\(body.source)</html>\n".utf8)
    }

    private var heading: [Markup] {
        let quantization = report.job.quantization
        let bits = "weights \(quantization.parameterBitwidth) bits, activations \(quantization.activationBitwidth) bits"
        let schemes = quantization.schemes
        let scheme =
            schemes.activations == schemes.parameters
            ? "scheme \(schemes.activations.text)"
            : "schemes \(schemes.parameters.text) for weights, \(schemes.activations.text) for activations"
        var tiles = [
            tile("FP32 accuracy", report.accuracy.fp32, since: nil),
            tile("quantized accuracy", report.accuracy.quantized, since: report.accuracy.fp32),
            tile("trained accuracy", report.accuracy.trained, since: report.accuracy.fp32),
        ].compactMap(\.self)
        if tiles.isEmpty {
            tiles = [
                .element(
                    "p", [:], "No accuracy: the job has no evaluation samples, or they have no labels.")
            ]
        }
        return [
            .element("h1", [:], report.job.model),
            .element("p", [:], "\(bits), \(scheme)"),
            .element("div", ["class": "tiles"], tiles),
        ]
    }

    /// - Parameter reference: an accuracy that this one is compared with.
    private func tile(_ name: String, _ accuracy: Double?, since reference: Double?) -> Markup? {
        guard let accuracy else { return nil }
        let note = reference.map { String(format: "%+.2f points to FP32", accuracy - $0) } ?? "top-1"
        return .element(
            "div", ["class": "tile"],
            [.element("span", [:], name), .element("b", [:], percent(accuracy)), .element("span", [:], note)])
    }

    func section(_ title: String, _ content: Markup...) -> [Markup] {
        content.allSatisfy { $0 == .nothing } ? [] : [.element("h2", [:], title)] + content
    }
}

extension Scheme {
    /// For people.
    fileprivate var text: String {
        if case .percentile(let percent) = self { return "\(name.rawValue) \(percent)" }
        return name.rawValue
    }
}

/// Nothing where there is no number.
func percent(_ value: Double?) -> String { value.map { String(format: "%.2f %%", $0) } ?? "" }

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
            .init(title: "top-1", isNumber: true), .init(title: ""),
        ])
        for stage in report.stages {
            table.append([
                stage.name, stage.samples.map(grouped) ?? "", String(format: "%.2f", stage.seconds),
                percent(stage.top1Percent), (stage.notes ?? []).joined(separator: "; "),
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
