import Foundation
import Reports
import TestSupport
import Testing

/// `sequential_mse`, `adaround` and `bias_correction` from the job file to the report.
@Suite(.serialized) struct ReconstructionTests {
    @Test(
        arguments: [
            "bias_correction", "adaround", "sequential_mse",
            "cross_layer_equalization, sequential_mse, adaround, bias_correction",
        ])
    func sameResultForAnyNumberOfWorkers(techniques: String) throws {
        let job = try SpoiledJob()
        try job.write(SmallModel.unequalized())
        try job.writeImages("images.npz", shape: [200, 1, 28, 28])
        try job.writeJob(quantization: "parameter_bitwidth: 4", "post_training: [fold_batch_norms, \(techniques)]")
        var digests: Set<Report.Digest> = []
        var last: RunReport?
        for workers in [1, 2, 3, 5] {
            let report = try job.report(workers: workers)
            digests.insert(report.digest)
            last = report
        }
        #expect(digests.count == 1)
        let stage = try #require(last?.stages.first { $0.kind == .reconstruction })
        #expect(stage.samples == 200)
        let notes = try #require(stage.notes)
        #expect(notes.count == 2 && notes.allSatisfy { $0.contains("SQNR of the output") }, "\(notes)")
        // FP32 is the model as it was given.
        try job.writeJob(quantization: "parameter_bitwidth: 4", "post_training: [fold_batch_norms]")
        let plain = try job.report(workers: 2)
        #expect(plain.accuracy.fp32 == last?.accuracy.fp32)
        // The scheme's own ranges may be the best ones.
        #expect(plain.digest != last?.digest || techniques == "sequential_mse")
    }
}
