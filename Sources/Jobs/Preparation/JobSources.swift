import Datasets
import JobFile
import Tensors

extension JobFile {
    /// - Throws: `DatasetError` where the path matches nothing, `JobError` where what it matches holds no sample.
    func source(_ source: Source) throws -> DatasetSource {
        let found: DatasetSource
        do {
            found = try DatasetSource(
                path: source.path, relativeTo: folder, limit: source.samples,
                order: source.order == .first ? .first : .spread(seed: UInt64(dataset.seed)),
                classes: try classNames())
        } catch var error as DatasetError where error.code == .noMatch {
            error.found = "looked in \(folder.path)"
            throw error
        }
        guard try found.count() > 0 else {
            throw JobError(.outOfRange, file: file, key: source.path, expected: "at least one sample", found: "none")
        }
        return found
    }

    /// The names of the classes where samples are in folders: one numbering for all splits. Nil where no split says any.
    private func classNames() throws -> [String]? {
        if let classes = dataset.classes { return classes }
        for split in [dataset.training, dataset.calibration, dataset.evaluation] {
            guard let split, let source = try? DatasetSource(path: split.path, relativeTo: folder) else { continue }
            let names = try source.classNames()
            if !names.isEmpty { return names }
        }
        return nil
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
        if training.loss == .crossEntropy, let first = try firstSample(of: found), first.label == nil {
            throw error(
                .conflictingKeys, key: "dataset.training",
                expected: "labels, which the loss cross_entropy needs (distillation does not)",
                found: "sample \"\(first.key)\" of \(first.source) without one")
        }
        return found
    }

    /// The first good sample; nil where there is none.
    func firstSample(of source: DatasetSource) throws -> Sample? {
        try source.firstSample(skippingBad: dataset.onBadSample == .skip)
    }

    /// What tells that samples of a source have different shapes, as far as headers or the first samples show; nil where nothing does.
    func differentShapes(in source: DatasetSource) throws -> String? {
        if let image = dataset.image {
            guard image.sizing.sizes?.count != 1 else { return nil }
            return "images of different sizes, as dataset.image.size says"
        }
        var first: [String: Shape]?
        func differ(_ shapes: [String: Shape], _ name: String) -> String? {
            guard let known = first else {
                first = shapes
                return nil
            }
            let differing = shapes.keys.sorted().first { known[$0] != nil && known[$0] != shapes[$0] }
            return differing.map { array in
                "\(array) of \(known[array] ?? []) and, in \(name), of \(shapes[array] ?? [])"
            }
        }
        if source.kind == .npz {
            for file in source.files {
                let shapes = try NPZRowReader(file).arrays.map { ($0.name, $0.rowShape) }
                if let found = differ(Dictionary(shapes) { first, _ in first }, file.lastPathComponent) { return found }
            }
            return nil
        }
        let stream = try source.open()
        for _ in 0..<256 {
            do {
                guard let sample = try stream.next() else { return nil }
                guard case .arrays(let arrays) = sample.content else { continue }
                if let found = differ(arrays.mapValues(\.shape), "sample \"\(sample.key)\"") { return found }
            } catch let error as DatasetError where error.isBadSample && dataset.onBadSample == .skip {
                continue
            }
        }
        return nil
    }

    /// Samples that are looked at where they may differ.
    private static let lookedAt = 32

    /// The sample with the most elements among the first; of several files of arrays the first of the file with the largest rows. What
    /// shards and estimates of memory are made for. Nil where there is no good sample.
    func largestSample(of source: DatasetSource) throws -> Sample? {
        var source = source
        if source.kind == .npz {
            let sizes = try source.files.map { file in
                try NPZRowReader(file).arrays.reduce(0) { $0 + $1.rowShape.count }
            }
            if let place = sizes.indices.max(by: { sizes[$0] < sizes[$1] }), sizes[place] > sizes[0] {
                source = try DatasetSource(path: source.files[place].path, relativeTo: folder)
            }
            return try firstSample(of: source)
        }
        var largest: (sample: Sample, count: Int)?
        try forFirstSamples(of: source) { sample in
            var count = 1
            if case .arrays(let arrays) = sample.content { count = arrays.values.reduce(1) { $0 + $1.count } }
            if count > largest?.count ?? 0 { largest = (sample, count) }
        }
        return largest?.sample
    }

    /// Shows the first samples, where bad ones are left out without those.
    func forFirstSamples(of source: DatasetSource, _ body: (Sample) throws -> Void) throws {
        let stream = try source.open()
        for _ in 0..<Self.lookedAt {
            do {
                guard let sample = try stream.next() else { return }
                try body(sample)
            } catch let error as DatasetError where error.isBadSample && dataset.onBadSample == .skip {
                continue
            }
        }
    }

    /// The samples to evaluate with, where the job does.
    /// - Throws: as `source`, and `JobError` where training is to stop by their labels and they have none.
    func evaluationSource() throws -> DatasetSource? {
        guard let evaluation = dataset.evaluation else { return nil }
        let found = try source(evaluation)
        if training?.patience != nil,
            let first = try firstSample(of: found), first.label == nil
        {
            throw patienceError(found: "sample \"\(first.key)\" of \(first.source) without one")
        }
        return found
    }

    func patienceError(found: String) -> JobError {
        error(
            .conflictingKeys, key: "training.patience", expected: "labels of all evaluation samples", found: found)
    }
}

extension DatasetSource {
    /// A line for people about what is no sample; nil where there is nothing.
    func passedOverLine(_ name: String) throws -> String? {
        let found = try passedOver().sorted { ($1.value, $0.key) < ($0.value, $1.key) }
        guard !found.isEmpty else { return nil }
        let count = found.reduce(0) { $0 + $1.value }
        let kinds = found.prefix(4).map { "\($0.value) of \($0.key)" }.joined(separator: ", ")
        return "\(name): \(count) \(count == 1 ? "file is" : "files are") no part of a sample and not taken: \(kinds)"
            + (found.count > 4 ? ", ..." : "")
    }

    /// The first sample, or the first good one; nil where there is none.
    fileprivate func firstSample(skippingBad: Bool) throws -> Sample? {
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
