import Foundation
import Tensors
import Testing

@Suite struct ElementaryFunctionTests {
    private static func error(_ found: Double, _ expected: Double) -> Double {
        abs(found - expected) / expected.ulp
    }

    @Test func `exponentials are within two units in the last place`() {
        var random = CounterRandom(key: 76)
        for _ in 0..<20_000 {
            let x = (Double(random.uniform()) - 0.5) * 1400
            #expect(Self.error(exponential(x), exp(x)) <= 2, "\(x)")
            let small = x * scalbn(1, -Int(random.next() % 60))
            #expect(Self.error(exponential(small), exp(small)) <= 2, "\(small)")
        }
        #expect(exponential(0) == 1)
        #expect(exponential(-800) == 0 && exponential(-.infinity) == 0)
        #expect(exponential(720) == .infinity && exponential(.infinity) == .infinity)
        #expect(exponential(.nan).isNaN)
        #expect(abs(exponential(-740) - exp(-740)) <= 2 * Double.leastNonzeroMagnitude)
    }

    @Test func `logarithms are within two units in the last place`() {
        var random = CounterRandom(key: 77)
        for _ in 0..<20_000 {
            let x = scalbn(1 + Double(random.uniform()), Int(random.next() % 2000) - 1000)
            #expect(Self.error(logarithm(x), log(x)) <= 2, "\(x)")
            let near = 1 + (Double(random.uniform()) - 0.5) * scalbn(1, -Int(random.next() % 40))
            #expect(near == 1 || Self.error(logarithm(near), log(near)) <= 2, "\(near)")
        }
        #expect(logarithm(1) == 0)
        #expect(logarithm(0) == -.infinity && logarithm(.infinity) == .infinity)
        #expect(logarithm(-1).isNaN && logarithm(.nan).isNaN)
    }

    @Test func `cosines and powers are the library's`() {
        for step in 0...1000 {
            let x = Double(step) / 1000
            #expect(abs(cosineOfHalfTurns(x) - cos(.pi * x)) < 4e-16, "\(x)")
        }
        for exponent in 0..<60 { #expect(Self.error(power(0.999, exponent), pow(0.999, Double(exponent))) <= 32) }
        #expect(power(2, 10) == 1024 && power(0, 0) == 1)
    }
}
