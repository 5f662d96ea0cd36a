import Foundation
import Tensors
import Testing
import Training

@Suite struct LossTests {
    private typealias Evaluation = (
        _ outputs: UnsafeBufferPointer<Float>, _ gradient: UnsafeMutableBufferPointer<Float>
    ) throws -> Double

    private static func evaluate(_ outputs: [Float], _ loss: Evaluation) throws -> (value: Double, gradient: [Float]) {
        var gradient = [Float](repeating: .nan, count: outputs.count)
        let value = try outputs.withUnsafeBufferPointer { outputs in
            try gradient.withUnsafeMutableBufferPointer { try loss(outputs, $0) }
        }
        return (value, gradient)
    }

    /// The losses of a golden case, by their names in the file.
    private static func losses(_ golden: Golden, _ name: String) throws -> [(name: String, loss: Evaluation)] {
        let labels = try golden.integers(name + ".labels")
        let teacher = try golden.floats(name + ".teacher")
        let samples = Double(labels.count)
        return [
            (
                "cross_entropy",
                { try Loss.crossEntropy(outputs: $0, labels: labels, denominator: samples, gradient: $1) }
            ),
            (
                "mse",
                { outputs, gradient in
                    try teacher.withUnsafeBufferPointer {
                        try Loss.meanSquaredError(
                            outputs: outputs, targets: $0, denominator: Double(teacher.count), gradient: gradient)
                    }
                }
            ),
            (
                "distillation",
                { outputs, gradient in
                    try teacher.withUnsafeBufferPointer {
                        try Loss.distillation(
                            outputs: outputs, teacher: $0, samples: labels.count, temperature: 3,
                            denominator: samples, gradient: gradient)
                    }
                }
            ),
        ]
    }

    @Test(arguments: ["small", "ten", "large", "one"])
    func `values and gradients are PyTorch's`(name: String) throws {
        let golden = try Golden("losses.npz")
        let outputs = try golden.floats(name + ".outputs")
        for (key, loss) in try Self.losses(golden, name) {
            let (value, gradient) = try Self.evaluate(outputs, loss)
            let expected = try golden.doubles("\(name).\(key)")[0]
            #expect(abs(value - expected) <= 1e-12 * max(abs(expected), 1), "\(key): \(value), \(expected)")
            let expectedGradient = try golden.doubles("\(name).\(key).gradient")
            for (left, right) in zip(gradient, expectedGradient) {
                #expect(abs(Double(left) - right) <= 6.1e-8 * abs(right) + 1e-16, "\(key): \(left), \(right)")
            }
        }
    }

    @Test func `gradients are those of finite differences`() throws {
        let golden = try Golden("losses.npz")
        let outputs = try golden.floats("ten.outputs")
        for (key, loss) in try Self.losses(golden, "ten") {
            let gradient = try Self.evaluate(outputs, loss).gradient
            for index in stride(from: 0, to: outputs.count, by: 7) {
                // Exact steps in Float, so that the difference is of the very outputs.
                let (above, below) = (outputs[index] + 0x1p-10, outputs[index] - 0x1p-10)
                var moved = outputs
                moved[index] = above
                let right = try Self.evaluate(moved, loss).value
                moved[index] = below
                let left = try Self.evaluate(moved, loss).value
                let slope = (right - left) / (Double(above) - Double(below))
                #expect(abs(slope - Double(gradient[index])) < 2e-6, "\(key), \(index)")
            }
        }
    }

    /// A slot computes its share of the global mean, so shares add up.
    @Test func `parts of a batch add up to the whole`() throws {
        let golden = try Golden("losses.npz")
        let outputs = try golden.floats("ten.outputs")
        let labels = try golden.integers("ten.labels")
        func share(_ samples: Range<Int>) throws -> (value: Double, gradient: [Float]) {
            try Self.evaluate(Array(outputs[samples.lowerBound * 10..<samples.upperBound * 10])) {
                try Loss.crossEntropy(
                    outputs: $0, labels: Array(labels[samples]), denominator: 8, gradient: $1)
            }
        }
        let whole = try share(0..<8)
        let parts = try [share(0..<3), share(3..<4), share(4..<8)]
        #expect(parts.flatMap(\.gradient) == whole.gradient)
        #expect(abs(parts.map(\.value).reduce(0, +) - whole.value) < 1e-15)
    }

    @Test func `extreme outputs neither overflow nor vanish`() throws {
        for outputs in [[3e38, -3e38, 0], [-3e38, -3e38, -3e38], [90, -90, 0]] as [[Float]] {
            let (value, gradient) = try Self.evaluate(outputs) {
                try Loss.crossEntropy(outputs: $0, labels: [2], denominator: 1, gradient: $1)
            }
            #expect(value.isFinite && gradient.allSatisfy(\.isFinite))
            #expect(abs(gradient.reduce(0, +)) < 1e-6)
        }
        let same = try Self.evaluate([1000, -1000]) { outputs, gradient in
            try Loss.distillation(
                outputs: outputs, teacher: outputs, samples: 1, temperature: 1, denominator: 1, gradient: gradient)
        }
        #expect(same.value == 0 && same.gradient == [0, 0])
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity])
    func `outputs that are not finite give a loss that is not`(bad: Float) throws {
        // An infinite score below all others is a probability of zero, and finite for other labels; as the label it is not.
        for place in 0..<3 {
            var outputs: [Float] = [0.5, -1, 2]
            outputs[place] = bad
            let (value, _) = try Self.evaluate(outputs) {
                try Loss.crossEntropy(outputs: $0, labels: [place], denominator: 1, gradient: $1)
            }
            #expect(!value.isFinite, "\(outputs)")
        }
    }

    @Test func `labels and shapes that do not fit are refused`() throws {
        func code(_ labels: [Int]) throws -> (TrainingError.Code, Int?) {
            let error = try #require(throws: TrainingError.self) {
                try Self.evaluate([1, 2, 3, 4, 5, 6]) {
                    try Loss.crossEntropy(outputs: $0, labels: labels, denominator: 1, gradient: $1)
                }
            }
            return (error.code, error.index)
        }
        #expect(try code([0, 3]) == (.labelOutOfRange, 1))
        #expect(try code([-1, 0]) == (.labelOutOfRange, 0))
        #expect(try code([0, 1, 2, 3]).0 == .lengthMismatch)
        #expect(try code([]).0 == .lengthMismatch)
    }
}
