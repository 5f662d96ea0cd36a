import Tensors

/// How gradients change parameters. The formulas are PyTorch's (`torch.optim.SGD`, `Adam`, `AdamW`, without dampening,
/// AMSGrad and maximization), each operation rounded to `Float` on its own. Written as in a job file:
/// `{name: sgd, learning_rate: 1.0e-4, momentum: 0.9, nesterov: false, weight_decay: 0}`.
public struct OptimizerSettings: Equatable, Sendable, Codable {
    /// How a job file calls the rules.
    public enum Name: String, CaseIterable, Sendable, Codable {
        case sgd, adam, adamw
    }

    /// What a gradient does to a parameter.
    public enum Rule: Equatable, Sendable {
        /// Stochastic gradient descent. `momentum` in [0, 1); Nesterov's variant needs a momentum above zero.
        case sgd(momentum: Double, nesterov: Bool)
        /// Kingma and Ba, 2015. Betas in [0, 1), epsilon positive. Weight decay is added to the gradient.
        case adam(beta1: Double, beta2: Double, epsilon: Double)
        /// Loshchilov and Hutter, 2019: as Adam, but weight decay shrinks the weights and leaves the gradient alone.
        case adamW(beta1: Double, beta2: Double, epsilon: Double)

        /// With the paper's betas and epsilon.
        public static let adam = Rule.adam(beta1: 0.9, beta2: 0.999, epsilon: 1e-8)
        /// With the betas and epsilon of Adam's paper.
        public static let adamW = Rule.adamW(beta1: 0.9, beta2: 0.999, epsilon: 1e-8)

        /// As a job file calls it.
        public var name: Name {
            switch self {
            case .sgd: .sgd
            case .adam: .adam
            case .adamW: .adamw
            }
        }
    }

    /// What a gradient does to a parameter.
    public var rule: Rule
    /// Finite, above 0. What a `Schedule` makes of it is the rate of each step.
    public var learningRate: Double
    /// Finite, not negative.
    public var weightDecay: Double

    /// - Throws: `TrainingError(.invalidSetting)` that names the setting.
    public init(_ rule: Rule, learningRate: Double, weightDecay: Double = 0) throws(TrainingError) {
        func check(_ holds: Bool, _ key: String, _ expected: String, _ found: Double) throws(TrainingError) {
            guard holds else { throw TrainingError(.invalidSetting, key: key, expected: expected, found: "\(found)") }
        }
        switch rule {
        case .sgd(let momentum, let nesterov):
            try check(momentum >= 0 && momentum < 1, "momentum", "from 0 to below 1", momentum)
            try check(!nesterov || momentum > 0, "nesterov", "a momentum above 0", momentum)
        case .adam(let beta1, let beta2, let epsilon), .adamW(let beta1, let beta2, let epsilon):
            try check(beta1 >= 0 && beta1 < 1, "beta1", "from 0 to below 1", beta1)
            try check(beta2 >= 0 && beta2 < 1, "beta2", "from 0 to below 1", beta2)
            try check(epsilon > 0 && epsilon.isFinite, "epsilon", "above 0", epsilon)
        }
        try check(learningRate > 0 && learningRate.isFinite, "learning_rate", "above 0", learningRate)
        try check(weightDecay >= 0 && weightDecay.isFinite, "weight_decay", "0 or above", weightDecay)
        self.rule = rule
        self.learningRate = learningRate
        self.weightDecay = weightDecay
    }

    /// The vectors that an optimizer of these settings keeps.
    public var stateNames: [String] {
        switch rule {
        case .sgd(let momentum, _): momentum > 0 ? ["momentum"] : []
        case .adam, .adamW: ["first_moment", "second_moment"]
        }
    }

    /// The keys of the job file.
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case name, momentum, nesterov, betas, epsilon
        case learningRate = "learning_rate"
        case weightDecay = "weight_decay"
    }

    /// - Throws: `DecodingError`; `TrainingError(.invalidSetting)` for values out of range.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let name = try container.decode(Name.self, forKey: .name)
        let rule: Rule
        switch name {
        case .sgd:
            rule = .sgd(
                momentum: try container.decode(Double.self, forKey: .momentum),
                nesterov: try container.decode(Bool.self, forKey: .nesterov))
        case .adam, .adamw:
            let betas = try container.decode([Double].self, forKey: .betas)
            guard betas.count == 2 else {
                throw DecodingError.dataCorruptedError(
                    forKey: .betas, in: container, debugDescription: "two betas, not \(betas.count)")
            }
            let epsilon = try container.decode(Double.self, forKey: .epsilon)
            rule =
                name == .adam
                ? .adam(beta1: betas[0], beta2: betas[1], epsilon: epsilon)
                : .adamW(beta1: betas[0], beta2: betas[1], epsilon: epsilon)
        }
        try self.init(
            rule, learningRate: container.decode(Double.self, forKey: .learningRate),
            weightDecay: container.decode(Double.self, forKey: .weightDecay))
    }

    /// In the keys of the job file, those of the rule alone.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        try container.encode(rule.name, forKey: .name)
        switch rule {
        case .sgd(let momentum, let nesterov):
            try container.encode(momentum, forKey: .momentum)
            try container.encode(nesterov, forKey: .nesterov)
        case .adam(let beta1, let beta2, let epsilon), .adamW(let beta1, let beta2, let epsilon):
            try container.encode([beta1, beta2], forKey: .betas)
            try container.encode(epsilon, forKey: .epsilon)
        }
        try container.encode(learningRate, forKey: .learningRate)
        try container.encode(weightDecay, forKey: .weightDecay)
    }
}
