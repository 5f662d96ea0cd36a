import Foundation
import Testing
import Reports
import TestSupport

/// `analysis.json` is the same bytes whatever the workers do. Real processes, real kills.
@Suite(.serialized) struct AnalysisTests {
    private func job(in folder: URL, samples: Int) throws -> TestJob {
        let job = try TestJob(in: folder, samples: samples)
        let text = try String(contentsOf: job.file, encoding: .utf8)
        try (text + "\nanalysis: {}\n").write(to: job.file, atomically: true, encoding: .utf8)
        return job
    }

    private func analysis(_ run: ClusterRun) throws -> Data {
        #expect(try run.coordinator.exitCode() == 0, "\(run.coordinator.standardError)")
        return try Data(contentsOf: run.output.appendingPathComponent("analysis.json"))
    }

    @Test func anyNumberOfWorkersAndLanes() throws {
        let scratch = try ScratchFolder()
        let job = try job(in: scratch.url, samples: 2000)
        let runs = try [(1, 1), (2, 2)].map { workers, lanes in
            let run = try ClusterRun(job, in: scratch.url, workers: workers, lanes: lanes)
            return (run, try analysis(run))
        }
        #expect(runs[0].1 == runs[1].1)
        // Over all samples, the whole models are those of the evaluations.
        let found = try JSONDecoder().decode(AnalysisReport.self, from: runs[0].1)
        let report = try TestJob.report(runs[0].0.output)
        #expect(found.samples == 2000 && found.dataset == "evaluation")
        #expect(found.fp32.top1 == report.accuracy.fp32)
        #expect(found.quantized.top1 == report.accuracy.quantized)
        #expect(found.quantizers.count > 4 && found.quantized.sqnr != nil)
        #expect(report.stages.contains { $0.name == "analyze" && $0.samples == 2000 })
        #expect(!found.tensors.isEmpty && found.tensors.allSatisfy { $0.leftOut == 0 })

        let page = try String(contentsOf: runs[0].0.output.appendingPathComponent("report.html"), encoding: .utf8)
        for text in ["<h2>Sensitivity</h2>", "<h2>Layers</h2>", "<h2>Ranges and histograms</h2>", "<details>"] {
            #expect(page.contains(text), "\(text)")
        }
        for text in ["http:", "https:", "<script", "<link", "url(", "src=", "nan", "inf\""] {
            #expect(!page.contains(text), "\(text)")
        }
    }

    /// Workers are killed, then the coordinator, which goes on where it was.
    @Test func processesThatAreKilled() throws {
        let scratch = try ScratchFolder()
        let job = try job(in: scratch.url, samples: 6000)
        let undisturbed = try analysis(try ClusterRun(job, in: scratch.url, workers: 1, lanes: 2))
        let run = try ClusterRun(job, in: scratch.url, workers: 2, lanes: 1)
        try run.coordinator.waitFor("analyze")
        Thread.sleep(forTimeInterval: 0.3)
        #expect(run.coordinator.process.isRunning, "the job was over before a worker was killed")
        run.workers[0].kill()
        Thread.sleep(forTimeInterval: 0.3)
        #expect(run.coordinator.process.isRunning, "the job was over before the coordinator was killed")
        run.coordinator.kill()
        _ = try run.coordinator.exitCode()
        try run.restartCoordinator()
        #expect(try analysis(run) == undisturbed)
    }
}
