import Foundation
import JobFile
import Reports
import Testing
import TestSupport

#if canImport(FoundationXML)
    import FoundationXML
#endif

@Suite struct HTMLReportTests {
    private static let training = """

        training:
          epochs: 3
          optimizer: {name: sgd, learning_rate: 1}
          global_batch: 8
          slots: 2
          patience: 1
        """

    private func report(model: String = "m.onnx", losses: [Float] = [2, 1.5, 1, 0.5], epochs: Int = 2) throws -> Report
    {
        let text = SmallJob.minimal.replacingOccurrences(of: "m.onnx", with: "'\(model)'")
            .replacingOccurrences(
                of: "dataset:", with: "dataset:\n  training: {path: t.npz}\n  evaluation: {path: e.npz}")
        let job = try JobFile(decoding: text + Self.training, file: "job.yml")
        return Report(
            job: job,
            stages: [
                Report.Stage(
                    "evaluate fp32", evaluating: .fp32, samples: 1000, skipped: 0, seconds: 2, correctTop1: 987,
                    correctTop5: 1000),
                Report.Stage(
                    "evaluate quantized", evaluating: .quantized, samples: 1000, skipped: 0, seconds: 2,
                    correctTop1: 612,
                    correctTop5: 900),
                Report.Stage("train", kind: .training, samples: 32, skipped: 0, seconds: 4),
            ],
            training: Report.Training(
                steps: losses.count,
                epochs: (1...epochs).map { epoch in
                    .init(
                        epoch: epoch, steps: 2, learningRate: 0.1 / Double(epoch), loss: 1,
                        accuracy: 80 + Double(epoch),
                        evaluationAccuracy: 90 - Double(epoch), evaluationAccuracyTop5: 99)
                },
                exportedEpoch: 1, stoppedEarlyAfterEpoch: 2, lossCurve: curve(losses)),
            digest: .init(encodings: "ab12", weights: "cd34"), instructionSet: "avx2", workersSeen: 3,
            peakMemory: .init(coordinator: 1 << 20, worker: nil), libraries: ["oneDNN": "2.6.3"])
    }

    private func curve(_ losses: [Float]) -> LossCurve {
        var curve = LossCurve(stepCount: losses.count)
        for loss in losses { curve.append(loss) }
        return curve
    }

    private func page(_ report: Report) -> String { String(decoding: HTMLReport(report).page(), as: UTF8.self) }

    @Test func thePageHoldsWhatTheReportDoes() throws {
        let page = try page(report())
        for text in [
            "98.70 %", "61.20 %", "FP32 98.70 %", "quantized 61.20 %", "Stopped early after epoch 2: 1 epoch without",
            "Exported are the weights of epoch 1, the best by evaluation top-1.", "ab12", "cd34", "oneDNN", "2.6.3",
            "training.optimizer.learning_rate", "tf_enhanced", "evaluate quantized", "8.0",
        ] { #expect(page.contains(text), "\(text)") }
        #expect(page.components(separatedBy: "<svg").count - 1 == 3)
        #expect(page.components(separatedBy: "<tr class=\"chosen\"").count - 1 == 1)
    }

    /// One file: no script, and nothing that is fetched.
    @Test func thePageNeedsNoNetwork() throws {
        let page = try page(report())
        for text in ["http:", "https:", "<script", "<link", "url(", "@import", "src="] {
            #expect(!page.contains(text), "\(text)")
        }
        #expect(page.contains("prefers-color-scheme:dark"))
    }

    @Test func whatTheJobSaysIsText() throws {
        let page = try page(report(model: "<script>alert(1)</script>&\"x\".onnx"))
        #expect(!page.contains("<script"))
        #expect(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&amp;&quot;x&quot;.onnx"))
    }

    @Test func aJobWithoutTrainingHasAPage() throws {
        var report = try report()
        report.training = nil
        let page = page(report)
        #expect(!page.contains("<svg") && !page.contains("<h2>Training"))
        #expect(page.contains("<h2>Accuracy</h2>"))
        report.accuracy.fp32 = nil
        report.accuracy.quantized = nil
        #expect(self.page(report).contains("No accuracy"))
    }

    /// Every element is closed by its own tag, in order.
    @Test func tagsAreBalanced() throws {
        let page = try page(report())
        let tags = page.matches(of: /<(\/?)([a-z0-9]+)([^>]*)>/)
        #expect(tags.count > 100)
        var open: [Substring] = []
        for tag in tags where tag.2 != "meta" {
            if tag.1.isEmpty { open.append(tag.2) } else { #expect(open.popLast() == tag.2) }
        }
        #expect(open.isEmpty)
    }

    /// Whatever the values are, plots are drawn inside of their box.
    @Test(
        arguments: [
            [2, 1.5, 1, 0.5], [1], [0, 0, 0], [1e-30, 2e-30], [1e30, -1e30], [5, 5, 5], [.nan, 1, .infinity, 2],
            (0..<2000).map { 1 / Float($0 + 1) },
        ] as [[Float]], [1, 2, 300])
    func drawingsStayWithinTheirBox(_ losses: [Float], _ epochs: Int) throws {
        let page = try page(report(losses: losses, epochs: epochs))
        let drawings = page.matches(of: /<svg viewBox="0 0 720 300".*?<\/svg>/)
        #expect(drawings.count >= 2)
        for drawing in drawings {
            #expect(!drawing.0.contains("nan") && !drawing.0.contains("inf"))
            for number in drawing.0.matches(of: /\s(?:x|x1|x2|cx)="([^"]*)"/) {
                #expect((0...720).contains(try #require(Double(number.1))), "\(number.0)")
            }
            for number in drawing.0.matches(of: /\s(?:y|y1|y2|cy)="([^"]*)"/) {
                #expect((0...300).contains(try #require(Double(number.1))), "\(number.0)")
            }
            for points in drawing.0.matches(of: /\spoints="([^"]*)"/) {
                for point in points.1.split(separator: " ") {
                    let ends = try point.split(separator: ",").map { try #require(Double($0)) }
                    #expect(ends.count == 2 && (58...706).contains(ends[0]) && (12...258).contains(ends[1]), "\(point)")
                }
            }
        }
    }
}

@Suite struct AxisScaleTests {
    @Test(
        arguments: [
            (0...1, 5, ["0.0", "0.2", "0.4", "0.6", "0.8", "1.0"]), (0...97, 5, ["0", "20", "40", "60", "80", "100"]),
            (61.2...98.75, 4, ["60", "70", "80", "90", "100"]), (-3...4, 3, ["-5", "0", "5"]),
            (0...0.00042, 4, ["0.0000", "0.0002", "0.0004", "0.0006"]),
        ] as [(ClosedRange<Double>, Int, [String])])
    func ticksAreRoundNumbers(_ values: ClosedRange<Double>, _ count: Int, _ labels: [String]) {
        let scale = AxisScale(covering: values, ticks: count)
        #expect(scale.ticks.map(scale.label) == labels)
        #expect(scale.lower <= values.lowerBound && scale.upper >= values.upperBound)
        #expect(scale.fraction(scale.lower) == 0 && scale.fraction(scale.upper) == 1)
    }

    @Test func wholeNumbersHaveNoFractions() {
        #expect(AxisScale(covering: 1...2, ticks: 8, smallestStep: 1).ticks == [1, 2])
        #expect(AxisScale(covering: 3...3, ticks: 8, smallestStep: 1).ticks == [3, 4])
    }

    @Test(arguments: [0...0, 5...5, -1e30...1e30, 1e-300...2e-300, 1e15...1e15])
    func anyRangeHasAFewTicks(_ values: ClosedRange<Double>) {
        let scale = AxisScale(covering: values, ticks: 5)
        #expect((2...8).contains(scale.ticks.count) && scale.upper > scale.lower, "\(scale)")
        #expect(Set(scale.ticks).count == scale.ticks.count)
    }
}
