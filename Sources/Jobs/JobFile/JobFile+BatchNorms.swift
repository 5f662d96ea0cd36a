extension JobFile {
    /// What becomes of batch norms in training.
    public enum BatchNorms: String, CaseIterable, Sendable, Codable {
        /// Folded into the layers before and behind them first; one that cannot be folded is as `frozen`.
        case folded
        /// Computes with the statistics of each slot, and is folded in the end.
        case kept
        /// Computes with its running values, which stay as they are.
        case frozen
    }

    /// What the stages say of batch norms and what training says of them, each from the other where it is not given.
    /// - Throws: `JobError(.conflictingKeys)`.
    mutating func settleBatchNorms(stagesAreGiven: Bool) throws {
        let key = "training.batch_norms"
        let isGiven = lines[key] != nil
        if !stagesAreGiven, training == nil || training?.batchNorms == .folded { postTraining = [.foldBatchNorms] }
        guard let wanted = training?.batchNorms else { return }
        let folds = postTraining.contains(.foldBatchNorms)
        if isGiven, folds != (wanted == .folded) {
            throw error(
                .conflictingKeys, key: key,
                expected: folds ? "folded, as post_training has fold_batch_norms" : "fold_batch_norms in post_training",
                found: wanted.rawValue)
        }
        if !folds, !isGiven { training?.batchNorms = .frozen }
        if training?.batchNorms == .kept, quantization.encodings != nil {
            // They are of weights that batch norms are folded into.
            throw error(
                .conflictingKeys, key: "quantization.encodings", expected: "batch_norms: folded or frozen",
                found: "batch_norms: kept")
        }
    }
}

extension JobFile.Training {
    mutating func readBatchNorms(_ section: YAMLSection<CodingKeys>) throws {
        if let value = section[.batchNorms] { batchNorms = try value.choice(of: JobFile.BatchNorms.self) }
        if let value = section[.batchNormMomentum] {
            batchNormMomentum = try value.number("a number above 0, at most 1") { $0 > 0 && $0 <= 1 }
            try checkKept(value)
        }
        if let value = section[.reestimationBatches] {
            reestimationBatches = try value.integer(in: 0...1_000_000)
            try checkKept(value)
        }
    }

    private func checkKept(_ value: YAMLValue) throws {
        guard batchNorms == .kept else {
            throw value.error(.conflictingKeys, expected: "batch_norms: kept", found: batchNorms.rawValue)
        }
    }
}
