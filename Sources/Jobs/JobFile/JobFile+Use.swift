import Cluster
import Datasets
import Execution
import Foundation
import ONNX
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

    /// The samples to train on, where the job trains.
    /// - Throws: as `source`, and `JobError` where the samples are fewer than a step takes, have no labels, or cannot be
    ///   augmented as asked for.
    func trainingSource() throws -> DatasetSource? {
        guard let training, let dataset = dataset.training else { return nil }
        let found = try source(dataset)
        let count = try found.count()
        guard count >= training.globalBatch else {
            throw error(
                .outOfRange, key: "training.global_batch",
                expected: "at most the \(count) samples of dataset.training", found: "\(training.globalBatch)")
        }
        if dataset.augment != nil, self.dataset.image == nil {
            throw error(
                .conflictingKeys, key: "dataset.training.augment", expected: "images, and dataset.image for them",
                found: "arrays")
        }
        if training.loss == .crossEntropy,
            let first = try found.firstSample(skippingBad: self.dataset.onBadSample == .skip), first.label == nil
        {
            throw error(
                .conflictingKeys, key: "dataset.training", expected: "labels, which the loss cross_entropy needs",
                found: "sample \"\(first.key)\" of \(first.source) without one")
        }
        return found
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

    /// Digest of everything that the job's results depend on: the job, the model as workers compute it, the config where it is
    /// a file, and the names and sizes of the data's files.
    func fingerprint(_ preparation: ModelPreparation, sources: [DatasetSource]) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        var bytes = try encoder.encode(self)
        bytes.append(SHA256Digest(of: preparation.artifact).bytes)
        if case .path(let path) = quantization.config { bytes.append(try readFile(url(for: path))) }
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
