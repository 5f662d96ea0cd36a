import Foundation
import Tensors
import Testing

/// Against the system's mathematics library, which is right to a unit in the last place or two.
@Suite struct TrigonometricFunctionTests {
    private typealias Pair = (
        name: String, own: @Sendable (Double) -> Double, other: @Sendable (Double) -> Double, range: ClosedRange<Double>
    )

    private static let pairs: [Pair] = [
        ("sin", sine, sin, -1e6...1e6), ("cos", cosine, cos, -1e6...1e6), ("tan", tangent, tan, -1.5...1.5),
        ("asin", arcSine, asin, -1...1), ("acos", arcCosine, acos, -1...1), ("atan", arcTangent, atan, -50...50),
        ("sinh", hyperbolicSine, sinh, -300...300), ("cosh", hyperbolicCosine, cosh, -300...300),
        ("tanh", hyperbolicTangent, tanh, -25...25), ("asinh", areaSine, asinh, -1e6...1e6),
        ("acosh", areaCosine, acosh, 1...1e6), ("atanh", areaTangent, atanh, -1...1),
        ("log1p", logarithmOfOnePlus, log1p, -0.9...100),
    ]

    @Test func functionsOfTheWholeRange() {
        var random = CounterRandom(key: 91)
        for pair in Self.pairs {
            let width = pair.range.upperBound - pair.range.lowerBound
            for index in 0..<20_000 {
                var x = pair.range.lowerBound + Double.random(in: 0...1, using: &random) * width
                // Half of them near zero, or near the lower end.
                if index % 2 == 0 {
                    let scale = scalbn(1, -Int.random(in: 0..<60, using: &random))
                    x =
                        pair.range.lowerBound < 0
                        ? x * scale : pair.range.lowerBound + (x - pair.range.lowerBound) * scale
                }
                let (found, expected) = (pair.own(x), pair.other(x))
                let isPeriodic = ["sin", "cos"].contains(pair.name)
                let bound = isPeriodic && x.magnitude > 1 ? 4 * 1.0.ulp : 2e-15 * expected.magnitude
                #expect(abs(found - expected) <= bound, "\(pair.name) \(x): \(found), not \(expected)")
            }
        }
    }

    @Test func endsAndWhatIsNoNumber() {
        for pair in Self.pairs {
            for x in [0.0, -0.0, 1, -1, 0.5, .infinity, -.infinity, .nan, .leastNonzeroMagnitude] {
                let (found, expected) = (pair.own(x), pair.other(x))
                let isSame =
                    found.isNaN && expected.isNaN || found == expected && found.sign == expected.sign
                    || abs(found - expected) <= 2e-15 * expected.magnitude
                #expect(isSame, "\(pair.name) \(x): \(found), not \(expected)")
            }
        }
    }
}
