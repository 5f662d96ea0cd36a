import Foundation
import Tensors
import Testing
import Training

@Suite struct OptimizerTests {
    struct Case {
        var name: String
        var settings: OptimizerSettings
        var learningRate: Double

        static func all() throws -> [Case] {
            [
                Case(name: "sgd", settings: try .init(.sgd(momentum: 0, nesterov: false)), learningRate: 0.1),
                Case(
                    name: "sgd_decay", settings: try .init(.sgd(momentum: 0, nesterov: false), weightDecay: 0.01),
                    learningRate: 0.1),
                Case(
                    name: "momentum", settings: try .init(.sgd(momentum: 0.9, nesterov: false), weightDecay: 5e-4),
                    learningRate: 0.05),
                Case(
                    name: "nesterov", settings: try .init(.sgd(momentum: 0.9, nesterov: true), weightDecay: 5e-4),
                    learningRate: 0.05),
                Case(name: "adam", settings: try .init(.adam), learningRate: 0.01),
                Case(
                    name: "adam_decay",
                    settings: try .init(.adam(beta1: 0.8, beta2: 0.99, epsilon: 1e-6), weightDecay: 0.1),
                    learningRate: 0.01),
                Case(name: "adamw", settings: try .init(.adamW, weightDecay: 0.05), learningRate: 0.01),
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
        func key(_ make: () throws -> OptimizerSettings) -> String? {
            #expect(throws: TrainingError.self) { try make() }?.key
        }
        #expect(key { try .init(.sgd(momentum: 1, nesterov: false)) } == "momentum")
        #expect(key { try .init(.sgd(momentum: .nan, nesterov: false)) } == "momentum")
        #expect(key { try .init(.sgd(momentum: 0, nesterov: true)) } == "nesterov")
        #expect(key { try .init(.adam(beta1: -0.1, beta2: 0.9, epsilon: 1e-8)) } == "beta1")
        #expect(key { try .init(.adamW(beta1: 0.1, beta2: 1, epsilon: 1e-8)) } == "beta2")
        #expect(key { try .init(.adam(beta1: 0.1, beta2: 0.9, epsilon: 0)) } == "epsilon")
        #expect(key { try .init(.adam, weightDecay: -1) } == "weight_decay")
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
