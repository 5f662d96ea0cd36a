import Foundation
import Tensors
import Testing
import Training

@Suite struct OptimizerTests {
    struct Case {
        var name: String
        var settings: OptimizerSettings
        var learningRate: Double { settings.learningRate }

        private init(_ name: String, _ rule: OptimizerSettings.Rule, _ rate: Double, decay: Double = 0) throws {
            self.name = name
            settings = try OptimizerSettings(rule, learningRate: rate, weightDecay: decay)
        }

        static func all() throws -> [Case] {
            [
                try Case("sgd", .sgd(momentum: 0, nesterov: false), 0.1),
                try Case("sgd_decay", .sgd(momentum: 0, nesterov: false), 0.1, decay: 0.01),
                try Case("momentum", .sgd(momentum: 0.9, nesterov: false), 0.05, decay: 5e-4),
                try Case("nesterov", .sgd(momentum: 0.9, nesterov: true), 0.05, decay: 5e-4),
                try Case("adam", .adam, 0.01),
                try Case("adam_decay", .adam(beta1: 0.8, beta2: 0.99, epsilon: 1e-6), 0.01, decay: 0.1),
                try Case("adamw", .adamW, 0.01, decay: 0.05),
            ]
        }
    }

    /// Bit for bit the documented formulas, and PyTorch's results up to its fused operations.
    @Test func `steps are PyTorch's`() throws {
        let golden = try Golden("optimizers.npz")
        let weights = try golden.floats("weights")
        let gradients = try golden.floats("gradients")
        let count = weights.count
        for test in try Case.all() {
            var parameters = weights
            var optimizer = Optimizer(test.settings, count: count)
            let exact = try golden.floats(test.name + ".exact")
            let torch = try golden.floats(test.name + ".torch")
            for step in 0..<gradients.count / count {
                let range = step * count..<(step + 1) * count
                optimizer.step(
                    parameters: &parameters, gradients: Array(gradients[range]), learningRate: test.learningRate)
                #expect(parameters == Array(exact[range]), "\(test.name), step \(step)")
                #expect(greatestDifference(parameters, Array(torch[range])) < 2e-6, "\(test.name), step \(step)")
            }
            #expect(optimizer.stepCount == 12)
        }
    }

    /// Slices of the parameters may be stepped apart, as workers that own slices do.
    @Test func `an optimizer of a slice does to it what the whole one does`() throws {
        let golden = try Golden("optimizers.npz")
        let weights = try golden.floats("weights")
        let gradients = try golden.floats("gradients")
        for test in try Case.all() {
            var whole = weights
            var parts = [Array(weights[..<13]), Array(weights[13...])]
            var optimizer = Optimizer(test.settings, count: 37)
            var optimizers = parts.map { Optimizer(test.settings, count: $0.count) }
            for step in 0..<3 {
                let gradient = Array(gradients[step * 37..<(step + 1) * 37])
                optimizer.step(parameters: &whole, gradients: gradient, learningRate: 0.1)
                optimizers[0].step(parameters: &parts[0], gradients: Array(gradient[..<13]), learningRate: 0.1)
                optimizers[1].step(parameters: &parts[1], gradients: Array(gradient[13...]), learningRate: 0.1)
            }
            #expect(parts[0] + parts[1] == whole)
        }
    }

    /// As PyTorch's groups of parameters with and without weight decay.
    @Test func `parameters behind the decayed ones do not decay`() throws {
        let golden = try Golden("optimizers.npz")
        let weights = try golden.floats("weights")
        let gradients = try golden.floats("gradients")
        for test in try Case.all() {
            var without = test.settings
            without.weightDecay = 0
            var whole = weights
            var parts = [Array(weights[..<13]), Array(weights[13...])]
            var optimizer = Optimizer(test.settings, count: 37)
            var optimizers = [Optimizer(test.settings, count: 13), Optimizer(without, count: 24)]
            for step in 0..<3 {
                let gradient = Array(gradients[step * 37..<(step + 1) * 37])
                optimizer.step(parameters: &whole, gradients: gradient, learningRate: 0.1, decayed: 13)
                optimizers[0].step(parameters: &parts[0], gradients: Array(gradient[..<13]), learningRate: 0.1)
                optimizers[1].step(parameters: &parts[1], gradients: Array(gradient[13...]), learningRate: 0.1)
            }
            #expect(parts[0] + parts[1] == whole, "\(test.name)")
        }
    }

    @Test func `an optimizer goes on from its state`() throws {
        let golden = try Golden("optimizers.npz")
        let gradient = Array(try golden.floats("gradients").prefix(37))
        for test in try Case.all() {
            var parameters = try golden.floats("weights")
            var optimizer = Optimizer(test.settings, count: 37)
            optimizer.step(parameters: &parameters, gradients: gradient, learningRate: 0.1)
            var restored = try Optimizer(
                test.settings, count: 37, stepCount: optimizer.stepCount,
                state: Dictionary(uniqueKeysWithValues: optimizer.state.map { ($0.name, $0.vector) }))
            #expect(restored == optimizer)
            var others = parameters
            optimizer.step(parameters: &parameters, gradients: gradient, learningRate: 0.1)
            restored.step(parameters: &others, gradients: gradient, learningRate: 0.1)
            #expect(others == parameters)
            if let name = test.settings.stateNames.first {
                let missing = #expect(throws: TrainingError.self) {
                    try Optimizer(test.settings, count: 37, stepCount: 1, state: [:])
                }
                #expect(missing?.code == .differentTensors && missing?.key == name)
            }
        }
    }

    @Test func `settings that cannot be are refused by name`() {
        func key(_ rule: OptimizerSettings.Rule, rate: Double = 0.1, decay: Double = 0) -> String? {
            #expect(throws: TrainingError.self) {
                try OptimizerSettings(rule, learningRate: rate, weightDecay: decay)
            }?.key
        }
        #expect(key(.sgd(momentum: 1, nesterov: false)) == "momentum")
        #expect(key(.sgd(momentum: .nan, nesterov: false)) == "momentum")
        #expect(key(.sgd(momentum: 0, nesterov: true)) == "nesterov")
        #expect(key(.adam(beta1: -0.1, beta2: 0.9, epsilon: 1e-8)) == "beta1")
        #expect(key(.adamW(beta1: 0.1, beta2: 1, epsilon: 1e-8)) == "beta2")
        #expect(key(.adam(beta1: 0.1, beta2: 0.9, epsilon: 0)) == "epsilon")
        #expect(key(.adam, rate: .infinity) == "learning_rate")
        #expect(key(.adam, decay: -1) == "weight_decay")
    }

    @Test func `clipping is PyTorch's`() throws {
        let golden = try Golden("optimizers.npz")
        let gradients = try golden.floats("gradients")
        let norm = Double(try golden.floats("norm")[0])
        for limit in [0.5, 3, 1000] {
            var clipped = gradients
            let found = GradientClipping.clip(&clipped, maximumNorm: limit)
            #expect(abs(found - norm) < 1e-6 * norm)
            let expected = try golden.floats("clipped.\(Int(limit) == 0 ? "0.5" : "\(Int(limit))")")
            let difference = greatestDifference(clipped, expected)
            #expect(difference <= 2e-7 * (expected.map(\.magnitude).max() ?? 0), "\(limit): \(difference)")
        }
    }

    @Test func `norms are the plain sum's`() {
        var random = CounterRandom(key: 75)
        for count in [0, 1, 7, 8, 9, 1000] {
            let vector = (0..<count).map { _ in random.normal() }
            let plain = vector.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            #expect(abs(GradientClipping.norm(vector) - plain) <= 1e-12 * plain)
        }
        #expect(GradientClipping.norm([.leastNonzeroMagnitude]) == Double(Float.leastNonzeroMagnitude))
        #expect(GradientClipping.norm([1, .nan]).isNaN)
    }
}
