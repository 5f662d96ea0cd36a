import Training

extension JobFile.Training {
    init(_ value: YAMLValue) throws {
        let section = try YAMLSection(value, keys: CodingKeys.self)
        duration = try JobFile.Duration(epochs: section[.epochs], steps: section[.steps], in: value)
        loss = try section[.loss]?.choice(of: JobFile.Loss.self) ?? .crossEntropy
        optimizer = try JobFile.Optimizer(section.required(.optimizer))
        schedule = try section[.schedule].map { try JobFile.Schedule($0) }
        globalBatch = try section.required(.globalBatch).integer(in: 1...1_048_576)
        let slotsValue = try section.required(.slots)
        slots = try slotsValue.integer(in: 1...65_536)
        seed = try section[.seed]?.integer(in: 0...Int.max) ?? 0
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
        guard globalBatch.isMultiple(of: slots) else {
            throw slotsValue.error(.outOfRange, expected: "a divisor of global_batch (\(globalBatch))")
        }
    }
}

extension JobFile.Duration {
    fileprivate init(epochs: YAMLValue?, steps: YAMLValue?, in training: YAMLValue) throws {
        switch (epochs, steps) {
        case (let epochs?, nil): self = .epochs(try epochs.integer(in: 1...1_000_000))
        case (nil, let steps?): self = .steps(try steps.integer(in: 1...1_000_000_000))
        case (nil, nil):
            throw JobError(
                .missingKey, file: training.file, key: "training.epochs", line: training.line,
                expected: "epochs or steps")
        case (_?, let steps?):
            throw steps.error(.conflictingKeys, expected: "epochs or steps", found: "both")
        }
    }
}

extension JobFile.Optimizer {
    init(_ value: YAMLValue) throws {
        let section = try YAMLSection(value, keys: CodingKeys.self)
        name = try section.required(.name).choice(of: JobFile.OptimizerName.self)
        learningRate = try section.required(.learningRate).number("a number above 0") { $0 > 0 }
        momentum = try section[.momentum]?.number("a number from 0 to below 1") { $0 >= 0 && $0 < 1 } ?? 0
    }
}

extension JobFile.Schedule {
    init(_ value: YAMLValue) throws {
        let section = try YAMLSection(value, keys: CodingKeys.self)
        divideBy = try section.required(.divideBy).number("a number above 0") { $0 > 0 }
        everyEpochs = try section.required(.everyEpochs).integer(in: 1...1_000_000)
    }
}
