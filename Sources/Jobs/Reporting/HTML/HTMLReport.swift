import Foundation
import Quantization

/// A report as a page for people: one file, with its plots inside, that needs no network and no script.
package struct HTMLReport {
    let report: Report

    let analysis: Analysis?

    package init(_ report: Report, analysis: Analysis? = nil) {
        self.report = report
        self.analysis = analysis
    }

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
