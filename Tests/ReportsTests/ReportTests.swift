import Foundation
import JobFile
import Reports
import TestSupport
import Testing

@Suite struct ReportTests {
    private func report(stages: [Report.Stage]) throws -> Report {
        Report(
            job: try JobFile(decoding: SmallJob.minimal, file: ""), stages: stages,
            digest: .init(encodings: "ab12", weights: nil), instructionSet: "avx2", workersSeen: 3,
            peakMemory: .init(coordinator: 1024, worker: nil), libraries: ["oneDNN": "2.6.3"])
    }

    private let stages: [Report.Stage] = [
        Report.Stage(
            "evaluate fp32", evaluating: .fp32, samples: 10_000, skipped: 2, seconds: 30, correctTop1: 8830,
            correctTop5: 9950),
        Report.Stage("calibrate", kind: .calibration, samples: 2000, skipped: 1, seconds: 8),
        Report.Stage(
            "evaluate quantized", evaluating: .quantized, samples: 10_000, skipped: 2, seconds: 50, correctTop1: 8817,
            correctTop5: 9949),
    ]

    @Test func summariesComeFromTheStages() throws {
        let report = try report(stages: stages)
        #expect(report.samples.calibration == 2000)
        #expect(report.samples.evaluation == 10_000)
        #expect(report.samples.training == nil)
        #expect(report.skipped.calibration == 1)
        #expect(report.skipped.evaluation == 2)
        #expect(report.accuracy.fp32 == 88.3)
        #expect(report.accuracy.quantized == 88.17)
        #expect(report.accuracy.trained == nil)
        #expect(report.accuracyTop5.quantized == 99.49)
        #expect(report.throughput.calibration == 250)
        #expect(report.throughput.evaluation == 250)
        #expect(report.throughput.training == nil)
    }

    @Test func withoutLabelsThereIsNoAccuracy() throws {
        let stage = Report.Stage(
            "evaluate fp32", evaluating: .fp32, samples: 10, skipped: 0, seconds: 0, correctTop1: nil, correctTop5: nil)
        let report = try report(stages: [stage])
        #expect(report.accuracy.fp32 == nil)
        #expect(report.throughput.evaluation == nil)
    }

    /// Scripts read the keys: what is promised is there, as null where it does not apply.
    @Test func theJSONHasThePromisedKeys() throws {
        let json = try report(stages: stages).json()
        let root = try #require(try JSONSerialization.jsonObject(with: json) as? [String: Any])
        #expect(
            root.keys.sorted() == [
                "accuracy", "accuracy_top5", "digest", "instruction_set", "job", "peak_memory_bytes", "samples",
                "skipped", "stages", "throughput", "versions", "workers",
            ])
        let accuracy = try #require(root["accuracy"] as? [String: Any])
        #expect(accuracy["fp32"] as? Double == 88.3)
        #expect(accuracy["trained"] is NSNull)
        let throughput = try #require(root["throughput"] as? [String: Any])
        #expect(throughput.keys.sorted() == ["calibration", "evaluation", "training"])
        let digest = try #require(root["digest"] as? [String: Any])
        #expect(digest["encodings"] as? String == "ab12")
        #expect(digest["weights"] is NSNull)
        let memory = try #require(root["peak_memory_bytes"] as? [String: Any])
        #expect(memory["coordinator"] as? Int == 1024)
        #expect(memory["worker"] is NSNull)
        let job = try #require(root["job"] as? [String: Any])
        #expect(job["post_training"] as? [String] == ["fold_batch_norms"])
        #expect((job["quantization"] as? [String: Any])?["scheme"] as? String == "tf_enhanced")
        #expect((job["dataset"] as? [String: Any])?["on_bad_sample"] as? String == "stop")
        #expect(job["lines"] == nil)
    }

    @Test func equalReportsAreEqualBytes() throws {
        let report = try report(stages: stages)
        let json = try report.json()
        #expect(try report.json() == json)
        #expect(String(decoding: json, as: UTF8.self).contains("\"fp32\" : 88.3,\n"))
        #expect(json.last == UInt8(ascii: "\n"))

        struct Parts: Decodable {
            var samples: Report.PerStage<Int>
            var accuracy: Report.PerModel<Double>
            var digest: Report.Digest
            var stages: [Report.Stage]
        }
        let parts = try JSONDecoder().decode(Parts.self, from: json)
        #expect(parts.stages == report.stages && parts.samples == report.samples)
        #expect(parts.accuracy == report.accuracy && parts.digest == report.digest)
    }
}
