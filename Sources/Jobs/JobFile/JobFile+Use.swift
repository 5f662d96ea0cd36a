import Cluster
import Datasets
import Execution
import Foundation
import ONNX
import Support
import Tensors

extension JobFile {
    /// - Throws: `DatasetError` where the path matches nothing, `JobError` where what it matches holds no sample.
    func source(_ source: Source) throws -> DatasetSource {
        let found: DatasetSource
        do {
            found = try DatasetSource(path: source.path, relativeTo: folder, limit: source.samples)
        } catch var error as DatasetError where error.code == .noMatch {
            error.found = "looked in \(folder.path)"
            throw error
        }
        guard try found.count() > 0 else {
            throw JobError(.outOfRange, file: file, key: source.path, expected: "at least one sample", found: "none")
        }
        return found
    }

    /// The samples to train on, where the job trains. Fits the size of the global batch to them where the job file leaves it
    /// open.
    /// - Throws: as `source`, and `JobError` where the samples are fewer than a step takes, lack the labels that the loss
    ///   needs, or cannot be augmented as asked for.
    mutating func trainingSource() throws -> DatasetSource? {
        guard var training, let dataset = dataset.training else { return nil }
        let found = try source(dataset)
        let count = try found.count()
        let isGiven = (batch: lines["training.global_batch"] != nil, slots: lines["training.slots"] != nil)
        if !isGiven.batch {
            (training.globalBatch, training.slots) = JobFile.Training.batch(
                globalBatch: nil, slots: isGiven.slots ? training.slots : nil, samples: count)
            self.training = training
        }
        guard count >= training.globalBatch else {
            throw error(
                .outOfRange, key: isGiven.batch ? "training.global_batch" : "training.slots",
                expected: "at most the \(count) samples of dataset.training", found: "\(training.globalBatch)")
        }
        let steps = training.stepCount(stepsPerEpoch: count / training.globalBatch)
        guard training.schedule.warmUpSteps <= steps else {
            throw error(
                .outOfRange, key: "training.schedule.warm_up_steps",
                expected: "at most the \(steps) steps of the training",
                found: "\(training.schedule.warmUpSteps)")
        }
        if dataset.augment != nil, self.dataset.image == nil {
            throw error(
                .conflictingKeys, key: "dataset.training.augment", expected: "images, and dataset.image for them",
                found: "arrays")
        }
        if training.loss == .crossEntropy, let first = try firstTrainingSample(of: found), first.label == nil {
            throw error(
                .conflictingKeys, key: "dataset.training",
                expected: "labels, which the loss cross_entropy needs (distillation does not)",
                found: "sample \"\(first.key)\" of \(first.source) without one")
        }
        return found
    }

    /// The first good sample; nil where there is none.
    func firstTrainingSample(of source: DatasetSource) throws -> Sample? {
        try source.firstSample(skippingBad: dataset.onBadSample == .skip)
    }

    /// What all workers compute with. `auto` is the widest that the coordinator's machine has: workers come later, and
    /// those that lack it are refused.
    func pinnedInstructionSet() throws -> Execution.InstructionSet {
        switch instructionSet {
        case .avx2: return .avx2
        case .avx512: return .avx512
        case .auto:
            guard let widest = ComputeLibrary.supportedInstructionSets.last else {
                throw ExecutionError(
                    .missingInstructionSet, expected: Execution.InstructionSet.avx2.rawValue, found: "none")
            }
            return widest
        }
    }

    /// Digest of everything that the job's results depend on: the job, what it is computed with, the model as workers compute
    /// it, the config where it is a file, encodings files, and the names and sizes of the data's files.
    func fingerprint(
        _ preparation: ModelPreparation, sources: [DatasetSource], instructionSet: Execution.InstructionSet
    ) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        var bytes = try encoder.encode(self)
        bytes.append(contentsOf: "\(ComputeLibrary.version) \(instructionSet.rawValue)\n".utf8)
        bytes.append(SHA256Digest(of: preparation.artifact).bytes)
        if let trained = preparation.loss?.artifact { bytes.append(SHA256Digest(of: trained).bytes) }
        if case .path(let path) = quantization.config { bytes.append(try readFile(url(for: path))) }
        for entry in quantization.encodings ?? [] {
            bytes.append(SHA256Digest(of: try readFile(url(for: entry.file))).bytes)
        }
        for source in sources {
            for file in source.files {
                let size = try FileManager.default.attributesOfItem(atPath: file.path)[.size] as? Int
                bytes.append(contentsOf: "\(file.lastPathComponent) \(size ?? 0)\n".utf8)
            }
        }
        return SHA256Digest(of: bytes).bytes
    }
}

extension DatasetSource {
    /// The first sample, or the first good one; nil where there is none.
    func firstSample(skippingBad: Bool) throws -> Sample? {
        let stream = try open()
        while true {
            do {
                return try stream.next()
            } catch let error as DatasetError where error.isBadSample && skippingBad {
                continue
            }
        }
    }
}

/// - Throws: `JobError(.unreadableFile)` naming the file.
func readFile(_ url: URL) throws -> Data {
    do {
        return try Data(contentsOf: url)
    } catch {
        throw JobError(unreadable: url.path, error)
    }
}
