import Training

extension JobFile.Training {
    private static let defaultEpochs = 15
    private static let defaultGlobalBatch = 128
    private static let defaultSlots = 16

    init(_ value: YAMLValue) throws {
        let section = try YAMLSection(value, keys: CodingKeys.self)
        duration = try JobFile.Duration(epochs: section[.epochs], steps: section[.steps]) ?? .epochs(Self.defaultEpochs)
        loss = try section[.loss].map { try JobFile.Loss($0) } ?? .crossEntropy
        optimizer = try JobFile.Optimizer(section[.optimizer])
        schedule = try JobFile.Schedule(section[.schedule], for: duration)
        clipNorm = try section[.clipNorm]?.number("a number above 0") { $0 > 0 }
        (globalBatch, slots) = Self.batch(
            globalBatch: try section[.globalBatch]?.integer(in: 1...1_048_576),
            slots: try section[.slots]?.integer(in: 1...65_536))
        seed = try section[.seed]?.integer(in: 0...Int.max) ?? 0
        patience = try section[.patience]?.integer(in: 1...1_000_000)
        evaluateEveryEpochs = try section[.evaluateEveryEpochs]?.integer(in: 1...1_000_000) ?? 1
        ranges = try section[.ranges]?.choice(of: ReplicaPlan.Ranges.self) ?? .learned
        weightEncodings = try section[.weightEncodings]?.choice(of: ReplicaPlan.WeightEncodings.self) ?? .follow
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

extension JobFile.Optimizer {
    /// Of the order of the rate that the training of an FP32 model ends with.
    private static let defaultLearningRate = 1e-4

    /// A name or a mapping; what is left open is as in PyTorch, but for the learning rate and the momentum.
    fileprivate init(_ value: YAMLValue?) throws {
        guard let value, case .mapping = value.kind else {
            self.init(try value?.choice(of: JobFile.OptimizerName.self) ?? .sgd, learningRate: Self.defaultLearningRate)
            return
        }
        let section = try YAMLSection(value, keys: CodingKeys.self)
        self.init(
            try section[.name]?.choice(of: JobFile.OptimizerName.self) ?? .sgd,
            learningRate: try section[.learningRate]?.number("a number above 0") { $0 > 0 }
                ?? Self.defaultLearningRate)
        try section.refuse(
            except: [.name, .learningRate, .weightDecay]
                + (name == .sgd ? [.momentum, .nesterov] : [.betas, .epsilon]), of: name.rawValue)
        let share = "a number from 0 to below 1"
        func isShare(_ number: Double) -> Bool { number >= 0 && number < 1 }
        if let value = section[.momentum] { momentum = try value.number(share, where: isShare) }
        if let value = section[.nesterov] {
            nesterov = try value.boolean()
            if nesterov == true, momentum == 0 {
                throw value.error(.conflictingKeys, expected: "a momentum above 0 for nesterov", found: "momentum 0")
            }
        }
        if let value = section[.betas] {
            betas = try value.list(count: 2, of: "numbers").map { try $0.number(share, where: isShare) }
        }
        if let value = section[.epsilon] { epsilon = try value.number("a number above 0") { $0 > 0 } }
        if let value = section[.weightDecay] { weightDecay = try value.number("a number of at least 0") { $0 >= 0 } }
    }

    private init(_ name: JobFile.OptimizerName, learningRate: Double) {
        self.name = name
        self.learningRate = learningRate
        switch name {
        case .sgd: (momentum, nesterov) = (0.9, false)
        case .adam, .adamw: (betas, epsilon) = ([0.9, 0.999], 1e-8)
        }
        weightDecay = name == .adamw ? 0.01 : 0
    }
}

extension JobFile.Schedule {
    private static let defaultDivisor = 10.0
    private static let defaultEpochs = 5

    /// A decay's name or a mapping, in which `divide_by` or `every_epochs` name the decay as well. Where nothing names one, the
    /// rate of a training of more than 5 epochs is divided by 10 every 5.
    fileprivate init(_ value: YAMLValue?, for duration: JobFile.Duration) throws {
        var usual = JobFile.Decay.constant
        if case .epochs(let epochs) = duration, epochs > Self.defaultEpochs { usual = .divide }
        guard let value, case .mapping = value.kind else {
            self.init(try value?.choice(of: JobFile.Decay.self) ?? usual)
            return
        }
        let section = try YAMLSection(value, keys: CodingKeys.self)
        let isDivided = section[.divideBy] != nil || section[.everyEpochs] != nil
        self.init(try section[.decay]?.choice(of: JobFile.Decay.self) ?? (isDivided ? .divide : usual))
        var own: [CodingKeys] = [.decay, .warmUpSteps]
        switch decay {
        case .constant: break
        case .divide: own += [.divideBy, .everyEpochs]
        case .cosine: own += [.finalShare]
        }
        try section.refuse(except: own, of: "decay \(decay.rawValue)")
        if let value = section[.divideBy] { divideBy = try value.number("a number above 0") { $0 > 0 } }
        if let value = section[.everyEpochs] { everyEpochs = try value.integer(in: 1...1_000_000) }
        if let value = section[.finalShare] { finalShare = try value.number("a number from 0 to 1") { 0...1 ~= $0 } }
        if let value = section[.warmUpSteps] { warmUpSteps = try value.integer(in: 0...1_000_000_000) }
    }

    private init(_ decay: JobFile.Decay) {
        self.decay = decay
        switch decay {
        case .constant: break
        case .divide: (divideBy, everyEpochs) = (Self.defaultDivisor, Self.defaultEpochs)
        case .cosine: finalShare = 0
        }
        warmUpSteps = 0
    }
}
