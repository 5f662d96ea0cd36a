import Foundation
import JobFile
import Support

/// What a job did, as `report.json` says it. The summaries (`samples`, `accuracy`, `throughput`, ...) are computed from
/// the stages.
public struct Report: Encodable, Equatable, Sendable {
    /// Of this program, of the report's format and of libraries.
    public var versions: Versions
    /// The job with its defaults filled in.
    public var job: JobFile
    /// Samples that counted, in one pass over the stage's data.
    public var samples: PerStage<Int>
    /// Bad samples passed over (`on_bad_sample: skip`), in one pass over the stage's data.
    public var skipped: PerStage<Int>
    /// Top-1, in percent of the samples.
    public var accuracy: PerModel<Double>
    /// Top-5, in percent of the samples.
    public var accuracyTop5: PerModel<Double>
    /// Samples per second over all passes of the stage, start-up excluded.
    public var throughput: PerStage<Double>
    /// Of the results: equal for equal jobs, however many workers ran them.
    public var digest: Digest
    /// The vector instructions that all workers computed with, such as `avx2`.
    public var instructionSet: String
    /// Who did the job.
    public var workers: Workers
    /// Resident memory of the processes at most.
    public var peakMemory: PeakMemoryReport
    /// Nil where the job did not train.
    public var training: Training?
    /// In the order in which they ran.
    public var stages: [Stage]

    enum CodingKeys: String, CodingKey {
        case versions, job, samples, skipped, accuracy, throughput, digest, workers, training, stages
        case accuracyTop5 = "accuracy_top5"
        case instructionSet = "instruction_set"
        case peakMemory = "peak_memory_bytes"
    }

    /// - Parameter workersSeen: how many different workers took part at any time.
    /// - Parameter peakMemory: bytes.
    public init(
        job: JobFile, stages: [Stage], training: Training? = nil, digest: Digest, instructionSet: String,
        workersSeen: Int,
        peakMemory: PeakMemoryReport, libraries: [String: String] = [:]
    ) {
        versions = Versions(quantsim: Program.version, report: Self.formatVersion, libraries: libraries)
        self.job = job
        samples = PerStage { kind in stages.last { $0.kind == kind }?.samples }
        skipped = PerStage { kind in stages.last { $0.kind == kind }?.skipped }
        accuracy = PerModel { model in stages.last { $0.model == model }?.top1Percent }
        accuracyTop5 = PerModel { model in stages.last { $0.model == model }?.top5Percent }
        throughput = PerStage { kind in samplesPerSecond(of: stages.filter { $0.kind == kind }) }
        self.digest = digest
        self.instructionSet = instructionSet
        workers = Workers(seen: workersSeen)
        self.peakMemory = peakMemory
        self.training = training
        self.stages = stages
    }

    /// Version of this file's format; a reader of version n understands every report of version n.
    public static let formatVersion = 1

    /// The report as JSON: keys sorted, so that equal reports are equal bytes.
    public func json() throws -> Data { try stableJSONFile() }
}

extension Report {
    /// What computed the results, and what format tells of them.
    public struct Versions: Codable, Equatable, Sendable {
        /// Of this program.
        public var quantsim: String
        /// Of the format, see `formatVersion`.
        public var report: Int
        /// System libraries by name, such as `oneDNN`.
        public var libraries: [String: String]
    }

    /// SHA-256 in hexadecimal.
    public struct Digest: Codable, Hashable, Sendable {
        /// Of the encodings file in the first version that the job asks for; nil where it asks for none.
        public var encodings: String?
        /// Of the exported model's constants.
        public var weights: String?

        public init(encodings: String?, weights: String?) {
            self.encodings = encodings
            self.weights = weights
        }

        /// With null for what is nil.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(encodings, forKey: .encodings)
            try container.encode(weights, forKey: .weights)
        }
    }

    /// The workers of the job.
    public struct Workers: Codable, Equatable, Sendable {
        /// Different workers that took part at any time.
        public var seen: Int
    }

    /// Bytes; nil where unknown, as for workers on other machines that did not tell.
    public struct PeakMemoryReport: Codable, Equatable, Sendable {
        /// The coordinator's process.
        public var coordinator: Int?
        /// The largest of any worker.
        public var worker: Int?

        public init(coordinator: Int?, worker: Int?) {
            self.coordinator = coordinator
            self.worker = worker
        }

        /// With null for what is nil.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(coordinator, forKey: .coordinator)
            try container.encode(worker, forKey: .worker)
        }
    }

    /// One value for each kind of stage that goes over samples; null in JSON where a stage did not run.
    public struct PerStage<Value: Codable & Equatable & Sendable>: Codable, Equatable, Sendable {
        /// Of calibration.
        public var calibration: Value?
        /// Of evaluation, of whichever form of the model.
        public var evaluation: Value?
        /// Of training.
        public var training: Value?

        init(_ value: (Stage.Kind) -> Value?) {
            calibration = value(.calibration)
            evaluation = value(.evaluation)
            training = value(.training)
        }

        /// With null for what is nil.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(calibration, forKey: .calibration)
            try container.encode(evaluation, forKey: .evaluation)
            try container.encode(training, forKey: .training)
        }
    }

    /// One value for each form of the model that is evaluated; null in JSON where it was not.
    public struct PerModel<Value: Codable & Equatable & Sendable>: Codable, Equatable, Sendable {
        /// The model as it was given.
        public var fp32: Value?
        /// Quantized, before any training.
        public var quantized: Value?
        /// Quantized and trained.
        public var trained: Value?

        init(_ value: (Stage.Model) -> Value?) {
            fp32 = value(.fp32)
            quantized = value(.quantized)
            trained = value(.trained)
        }

        /// With null for what is nil.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(fp32, forKey: .fp32)
            try container.encode(quantized, forKey: .quantized)
            try container.encode(trained, forKey: .trained)
        }
    }
}

/// Samples over seconds of all `stages` together; nil where nothing ran or took no measurable time.
private func samplesPerSecond(of stages: [Report.Stage]) -> Double? {
    let seconds = stages.reduce(0) { $0 + $1.seconds }
    return seconds > 0 ? Double(stages.reduce(0) { $0 + ($1.samples ?? 0) }) / seconds : nil
}

extension Report {
    /// What a user wants to know at the end, in a few lines.
    /// - Parameter folder: where the files are, as the user named it.
    public func summary(folder: String) -> String {
        func percent(_ value: Double?) -> String? { value.map { String(format: "%.2f %%", $0) } }
        func rate(_ value: Double?) -> String? { value.map { String(format: "%.0f samples/s", $0) } }
        let lines: [(String, String?)] = [
            ("FP32 accuracy", percent(accuracy.fp32)),
            ("quantized accuracy", percent(accuracy.quantized)),
            ("trained accuracy", percent(accuracy.trained)),
            ("calibration", rate(throughput.calibration)),
            ("evaluation", rate(throughput.evaluation)),
            ("training", rate(throughput.training)),
            ("encodings", digest.encodings),
            ("weights", training == nil ? nil : digest.weights),
            ("files", folder),
        ]
        return lines.compactMap { name, value in value.map { "\(name): \($0)" } }.joined(separator: "\n")
    }
}
