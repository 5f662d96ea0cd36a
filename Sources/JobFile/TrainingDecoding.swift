import Training

extension JobFile.Training {
    private static let defaultEpochs = 15
    private static let defaultGlobalBatch = 128
    private static let defaultSlots = 16

    init(_ value: YAMLValue) throws {
        let section = try YAMLSection(value, keys: CodingKeys.self)
        duration = try JobFile.Duration(epochs: section[.epochs], steps: section[.steps]) ?? .epochs(Self.defaultEpochs)
        loss = try section[.loss].map { try JobFile.Loss($0) } ?? .crossEntropy
        optimizer = try OptimizerSettings(section[.optimizer])
        schedule = try Schedule(section[.schedule], for: duration)
        clipNorm = try section[.clipNorm]?.number("a number above 0") { $0 > 0 }
        (globalBatch, slots) = Self.batch(
            globalBatch: try section[.globalBatch]?.integer(in: 1...1_048_576),
            slots: try section[.slots]?.integer(in: 1...65_536))
        seed = try section[.seed]?.integer(in: 0...Int.max) ?? 0
        patience = try section[.patience]?.integer(in: 1...1_000_000)
        evaluateEveryEpochs = try section[.evaluateEveryEpochs]?.integer(in: 1...1_000_000) ?? 1
        ranges = try section[.ranges]?.choice(of: RangeMode.self) ?? .learned
        weightEncodings = try section[.weightEncodings]?.choice(of: WeightEncodingMode.self) ?? .follow
        if let bits = section[.precision] {
            guard let precision = GradientPrecision(rawValue: try bits.integer(in: 0...64)) else {
                throw bits.error(.outOfRange, expected: "16 or 32")
            }
            self.precision = precision
        } else {
            precision = .full
        }
        try readBatchNorms(section)
        if let slotsValue = section[.slots], !globalBatch.isMultiple(of: slots) {
            throw slotsValue.error(.outOfRange, expected: "a divisor of global_batch (\(globalBatch))")
        }
    }

    /// A global batch and its slots where the job file does not name both: near 128 samples in 16 slots, a batch of at most the
    /// samples that there are, and slots that divide it.
    /// - Parameters:
    ///   - globalBatch, slots: as named.
    ///   - samples: of an epoch, at least 1.
    package static func batch(
        globalBatch: Int?, slots: Int?, samples: Int = .max
    ) -> (globalBatch: Int, slots: Int) {
        if let globalBatch {
            let divisor = stride(from: min(globalBatch, defaultSlots), to: 1, by: -1).first {
                globalBatch.isMultiple(of: $0)
            }
            return (globalBatch, slots ?? divisor ?? 1)
        }
        let limit = min(defaultGlobalBatch, samples)
        let slots = slots ?? min(defaultSlots, limit)
        return (max(limit / slots, 1) * slots, slots)
    }
}

extension JobFile.Training {
    private mutating func readBatchNorms(_ section: YAMLSection<CodingKeys>) throws {
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

extension JobFile.Duration {
    /// Nil where neither is given.
    fileprivate init?(epochs: YAMLValue?, steps: YAMLValue?) throws {
        switch (epochs, steps) {
        case (let epochs?, nil): self = .epochs(try epochs.integer(in: 1...1_000_000))
        case (nil, let steps?): self = .steps(try steps.integer(in: 1...1_000_000_000))
        case (nil, nil): return nil
        case (_?, let steps?):
            throw steps.error(.conflictingKeys, expected: "epochs or steps", found: "both")
        }
    }
}

extension JobFile.Loss {
    /// A name, or a mapping: `{name: distillation, temperature: 2, axis: 1}`, `{output: NAME}`.
    fileprivate init(_ value: YAMLValue) throws {
        guard case .mapping = value.kind else {
            self = Self.named(try value.choice(of: Name.self))
            return
        }
        let section = try YAMLSection(value, keys: CodingKeys.self)
        if let output = section[.output] {
            try section.refuse(except: [.output], of: "a loss that is an output of the model")
            self = .output(try output.text())
            return
        }
        guard let nameValue = section[.name] else {
            throw value.error(.wrongType, expected: "name or output", found: "neither")
        }
        let name = try nameValue.choice(of: Name.self)
        if name != .distillation { try section.refuse(except: [.name], of: name.rawValue) }
        self = Self.named(
            name, temperature: try section[.temperature]?.number("a number above 0") { $0 > 0 },
            axis: try section[.axis]?.integer(in: -8...8))
    }

    /// Classes lie behind the samples where nothing else is said, as in PyTorch.
    private static func named(_ name: Name, temperature: Double? = nil, axis: Int? = nil) -> Self {
        switch name {
        case .crossEntropy: .crossEntropy
        case .mse: .mse
        case .distillation: .distillation(temperature: temperature ?? 1, axis: axis ?? 1)
        }
    }
}

extension OptimizerSettings {
    /// Of the order of the rate that the training of an FP32 model ends with.
    private static let defaultLearningRate = 1e-4

    /// A name or a mapping; what is left open is as in PyTorch, but for the learning rate and the momentum.
    fileprivate init(_ value: YAMLValue?) throws {
        guard let value, case .mapping = value.kind else {
            let name = try value?.choice(of: Name.self) ?? .sgd
            try self.init(
                Self.rule(name), learningRate: Self.defaultLearningRate, weightDecay: Self.defaultWeightDecay(name))
            return
        }
        let section = try YAMLSection(value, keys: CodingKeys.self)
        let name = try section[.name]?.choice(of: Name.self) ?? .sgd
        let rate =
            try section[.learningRate]?.number("a number above 0") { $0 > 0 } ?? Self.defaultLearningRate
        try section.refuse(
            except: [.name, .learningRate, .weightDecay]
                + (name == .sgd ? [.momentum, .nesterov] : [.betas, .epsilon]), of: name.rawValue)
        let rule = try Self.rule(name, section)
        let decay = try section[.weightDecay]?.number("a number of at least 0") { $0 >= 0 }
        try self.init(rule, learningRate: rate, weightDecay: decay ?? Self.defaultWeightDecay(name))
    }

    private static func rule(_ name: Name, _ section: YAMLSection<CodingKeys>? = nil) throws -> Rule {
        let share = "a number from 0 to below 1"
        func isShare(_ number: Double) -> Bool { number >= 0 && number < 1 }
        if name == .sgd {
            let momentum = try section?[.momentum]?.number(share, where: isShare) ?? 0.9
            let nesterov = try section?[.nesterov]?.boolean() ?? false
            if let value = section?[.nesterov], nesterov, momentum == 0 {
                throw value.error(.conflictingKeys, expected: "a momentum above 0 for nesterov", found: "momentum 0")
            }
            return .sgd(momentum: momentum, nesterov: nesterov)
        }
        let betas = try section?[.betas]?.list(count: 2, of: "numbers").map { try $0.number(share, where: isShare) }
        let (beta1, beta2) = (betas?[0] ?? 0.9, betas?[1] ?? 0.999)
        let epsilon = try section?[.epsilon]?.number("a number above 0") { $0 > 0 } ?? 1e-8
        return name == .adam
            ? .adam(beta1: beta1, beta2: beta2, epsilon: epsilon)
            : .adamW(beta1: beta1, beta2: beta2, epsilon: epsilon)
    }

    private static func defaultWeightDecay(_ name: Name) -> Double { name == .adamw ? 0.01 : 0 }
}

extension Schedule {
    private static let defaultDivisor = 10.0
    private static let defaultEpochs = 5

    /// A decay's name or a mapping, in which `divide_by` or `every_epochs` name the decay as well. Where nothing names one, the
    /// rate of a training of more than 5 epochs is divided by 10 every 5.
    fileprivate init(_ value: YAMLValue?, for duration: JobFile.Duration) throws {
        var usual = Decay.Name.constant
        if case .epochs(let epochs) = duration, epochs > Self.defaultEpochs { usual = .divide }
        guard let value, case .mapping = value.kind else {
            try self.init(Self.decay(value?.choice(of: Decay.Name.self) ?? usual))
            return
        }
        let section = try YAMLSection(value, keys: CodingKeys.self)
        let isDivided = section[.divideBy] != nil || section[.everyEpochs] != nil
        let name = try section[.decay]?.choice(of: Decay.Name.self) ?? (isDivided ? .divide : usual)
        let own: [CodingKeys] =
            switch name {
            case .constant: []
            case .divide: [.divideBy, .everyEpochs]
            case .cosine: [.finalShare]
            }
        try section.refuse(except: [.decay, .warmUpSteps] + own, of: "decay \(name.rawValue)")
        try self.init(
            Self.decay(name, section), warmUpSteps: section[.warmUpSteps]?.integer(in: 0...1_000_000_000) ?? 0)
    }

    private static func decay(_ name: Decay.Name, _ section: YAMLSection<CodingKeys>? = nil) throws -> Decay {
        switch name {
        case .constant: .constant
        case .divide:
            .divide(
                by: try section?[.divideBy]?.number("a number above 0") { $0 > 0 } ?? defaultDivisor,
                everyEpochs: try section?[.everyEpochs]?.integer(in: 1...1_000_000) ?? defaultEpochs)
        case .cosine:
            .cosine(finalShare: try section?[.finalShare]?.number("a number from 0 to 1") { 0...1 ~= $0 } ?? 0)
        }
    }
}

// What training says must fit what the other sections say.
extension JobFile {
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

    private static let evaluationKeys = ["training.patience", "training.evaluate_every_epochs"]

    /// Evaluation between epochs needs something to evaluate with.
    /// - Throws: `JobError(.conflictingKeys)`.
    func checkTrainingEvaluation() throws {
        guard dataset.evaluation == nil, let key = Self.evaluationKeys.first(where: { lines[$0] != nil }) else {
            return
        }
        throw error(.conflictingKeys, key: key, expected: "dataset.evaluation, which it needs", found: "none")
    }
}
