import Foundation
import Simulation
import Support

extension HTMLReport {
    /// What each quantizer does, and the values that it rounds; nothing where the job analyzed nothing.
    var sensitivity: [Markup] {
        guard let analysis else { return [] }
        return section(
            "Sensitivity", .element("p", [:], introduction(analysis)), wholes(analysis),
            BarChart(
                title: "SQNR of the output with one quantizer on, most sensitive first", unit: " dB",
                bars: analysis.bySensitivity.prefix(BarChart.limit).map { quantizer in
                    .init(
                        name: quantizer.tensor, style: quantizer.role == .parameter ? "s2" : "s1",
                        value: quantizer.on.sqnr)
                }, legend: [("activations", "s1"), ("parameters", "s2")]
            ).markup(), details("All quantizers, on alone and off alone", sensitivities(analysis)))
            + section(
                "Layers",
                .element(
                    "p", [:],
                    "Activations of the quantized model beside those of the FP32 model, in the order of the graph."),
                layers(analysis), details("Errors and ranges of all tensors", tensors(analysis)))
            + section(
                "Ranges and histograms",
                .element(
                    "p", [:],
                    "Values in FP32: activations over the calibration samples, and weights. Heights are of the square "
                        + "roots of counts, zeros left out; the lines are the ends of the encoding."),
                details("Ranges", ranges(analysis)), details("Histograms", histograms(analysis)))
    }

    private func introduction(_ analysis: AnalysisReport) -> String {
        var text = "\(grouped(analysis.samples)) samples of dataset.\(analysis.dataset). "
        text += "On: the quantizer alone, everything else FP32. Off: all others. "
        if report.training != nil { text += "This is the quantized model before training." }
        return text
    }

    private func wholes(_ analysis: AnalysisReport) -> Markup {
        var table = PageTable([
            .init(title: "model"), .init(title: "top-1", isNumber: true),
            .init(title: "SQNR of the output", isNumber: true),
        ])
        table.append(["FP32", percent(analysis.fp32.top1), ""])
        for (name, effect) in [
            ("parameters quantized", analysis.parametersOnly), ("activations quantized", analysis.activationsOnly),
            ("all quantized", analysis.quantized),
        ] {
            table.append([name, percent(effect.top1), decibels(effect.sqnr)])
        }
        return table.markup()
    }

    private func sensitivities(_ analysis: AnalysisReport) -> Markup {
        var table = PageTable([
            .init(title: "quantizer"), .init(title: "of"), .init(title: "bits", isNumber: true),
            .init(title: "SQNR on", isNumber: true), .init(title: "SQNR off", isNumber: true),
            .init(title: "top-1 on", isNumber: true), .init(title: "top-1 off", isNumber: true),
        ])
        for quantizer in analysis.bySensitivity {
            let others = quantizer.tensors.count - 1
            table.append([
                others > 0 ? "\(quantizer.tensor) and \(others) more" : quantizer.tensor, quantizer.role.rawValue,
                "\(quantizer.bitwidth)", decibels(quantizer.on.sqnr), decibels(quantizer.off.sqnr),
                percent(quantizer.on.top1), percent(quantizer.off.top1),
            ])
        }
        return table.markup()
    }

    private func layers(_ analysis: AnalysisReport) -> Markup {
        BarChart(
            title: "SQNR by layer", unit: " dB",
            bars: analysis.tensors.filter { $0.role == .activation && $0.meanSquaredError != nil }
                .prefix(BarChart.limit).map { .init(name: $0.tensor, style: "s1", value: $0.sqnr) }
        ).markup()
    }

    private func tensors(_ analysis: AnalysisReport) -> Markup {
        var table = PageTable([
            .init(title: "tensor"), .init(title: "MSE", isNumber: true), .init(title: "SQNR", isNumber: true),
            .init(title: "min", isNumber: true), .init(title: "max", isNumber: true),
            .init(title: "encoding", isNumber: true),
        ])
        for tensor in analysis.tensors {
            table.append([
                tensor.tensor, tensor.meanSquaredError.map { String(format: "%.3g", $0) } ?? "", decibels(tensor.sqnr),
                short(tensor.min.map(Double.init)), short(tensor.max.map(Double.init)),
                tensor.encodingRange.map { "\(short($0.lowerBound)) to \(short($0.upperBound))" }
                    ?? tensor.dataType.rawValue,
            ])
        }
        return table.markup()
    }

    private func ranges(_ analysis: AnalysisReport) -> Markup {
        .group(
            [("activations", PlacedQuantizer.Role.activation), ("parameters", .parameter)].map { name, role in
                RangeChart(
                    title: "Least and greatest values of \(name)",
                    rows: analysis.tensors.filter { $0.role == role }.prefix(RangeChart.limit).compactMap { tensor in
                        guard let min = tensor.min, let max = tensor.max, let encoding = tensor.encodingRange else {
                            return nil
                        }
                        return .init(
                            name: tensor.tensor, values: Double(min)...Double(max),
                            encoding: encoding)
                    }
                ).markup()
            })
    }

    private func histograms(_ analysis: AnalysisReport) -> Markup {
        let drawings = analysis.tensors.prefix(400).compactMap { HistogramDrawing($0)?.markup() }
        return drawings.isEmpty ? .nothing : .element("div", ["class": "small"], drawings)
    }

    private func details(_ title: String, _ content: Markup) -> Markup {
        content == .nothing ? .nothing : .element("details", [:], [.element("summary", [:], title), content])
    }
}

private func decibels(_ value: Double?) -> String { value.map { String(format: "%.1f dB", $0) } ?? "" }

private func short(_ value: Double?) -> String { value.map { String(format: "%.4g", $0) } ?? "" }
