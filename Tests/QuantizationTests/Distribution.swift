import Foundation
import Quantization
import Tensors

/// Values as they occur in tensors, and as they had better not.
enum Distribution: String, CaseIterable, Sendable {
    case normal, laplace, studentT3, relu, lognormalRelu, outlier
    case constant, allZero, tiny, huge, withNonFinite

    /// Distributions whose greatest magnitude says little of the others.
    static let heavyTailed: [Distribution] = [.laplace, .studentT3, .lognormalRelu]

    func sample(_ count: Int, seed: UInt64) -> [Float] {
        var random = CounterRandom(key: 0x5C8E3E, seed, UInt64(rawValue.utf8.reduce(0) { $0 &* 31 &+ UInt($1) }))
        if self == .outlier { return (1..<count).map { _ in random.normal() } + [40] }
        return (0..<count).map { _ in value(&random) }
    }

    private func value(_ random: inout CounterRandom) -> Float {
        switch self {
        case .normal, .outlier: return random.normal()
        case .laplace:
            let magnitude = -log(Float(1) - random.uniform())
            return random.next() % 2 == 0 ? magnitude : -magnitude
        case .studentT3:
            let parts = (0..<3).map { _ in random.normal() }
            return random.normal() / (parts.reduce(0) { $0 + $1 * $1 } / 3).squareRoot()
        case .relu: return max(random.normal(), 0)
        case .lognormalRelu: return random.next() % 2 == 0 ? 0 : exp(random.normal())
        case .constant: return -3.7
        case .allZero: return random.next() % 2 == 0 ? 0 : -0.0
        case .tiny: return random.normal() * 1e-30
        case .huge: return random.normal() * 1e30
        case .withNonFinite:
            return random.next() % 5 == 0 ? [.nan, .infinity, -.infinity][Int(random.next() % 3)] : random.normal()
        }
    }
}

/// The ways in which a grid can lie around zero.
enum GridShape: String, CaseIterable, Sendable {
    case asymmetric, symmetric, strict, unsignedSymmetric

    func settings(_ bitwidth: Int, _ scheme: Scheme) -> QuantizerSettings {
        QuantizerSettings(
            bitwidth: bitwidth, symmetric: self != .asymmetric, strictSymmetric: self == .strict,
            unsignedSymmetric: self == .unsignedSymmetric, scheme: scheme)
    }
}

/// Signal to quantization noise, in dB, over the values themselves.
func signalToNoise(_ values: [Float], _ encoding: Encoding) throws -> Double {
    let quantized = try FakeQuantizer(TensorEncodings(encoding)).applied(to: Tensor(shape: [values.count], values))
    var (signal, noise) = (0.0, 0.0)
    for (value, result) in zip(values, quantized.elements(as: Float.self)) {
        let (exact, error) = (Double(value), Double(value) - Double(result))
        signal += exact * exact
        noise += error * error
    }
    return 10 * log10(signal / noise)
}
