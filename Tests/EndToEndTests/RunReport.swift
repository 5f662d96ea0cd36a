import Foundation
import Quantization
import Reports
import Support

/// What `report.json` of a run says.
struct RunReport: Decodable, Equatable {
    /// The job, as far as tests look at it.
    struct Job: Decodable, Equatable {
        /// By the keys of the job file.
        var training: [String: JSONValue]?
    }

    var job: Job
    var versions: Report.Versions
    var samples: Report.PerStage<Int>
    var skipped: Report.PerStage<Int>
    var accuracy: Report.PerModel<Double>
    var accuracyTop5: Report.PerModel<Double>
    var throughput: Report.PerStage<Double>
    var digest: Report.Digest
    var instructionSet: String
    var workers: Report.Workers
    var peakMemory: Report.PeakMemoryReport
    var training: Report.Training?
    var stages: [Report.Stage]

    enum CodingKeys: String, CodingKey {
        case job, versions, samples, skipped, accuracy, throughput, digest, workers, training, stages
        case accuracyTop5 = "accuracy_top5"
        case instructionSet = "instruction_set"
        case peakMemory = "peak_memory_bytes"
    }
}
