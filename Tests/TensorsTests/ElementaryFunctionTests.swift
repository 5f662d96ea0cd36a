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
        #expect(abs(logarithm(0x1p-1070) - log(0x1p-1070)) <= 2 * log(0x1p-1070).magnitude.ulp)
        #expect(logarithm(-1).isNaN && logarithm(.nan).isNaN)
    }

    @Test func `the error function is within 1e-13`() {
        var random = CounterRandom(key: 78)
        for _ in 0..<20_000 {
            let x = (Double(random.uniform()) - 0.5) * 14
            #expect(abs(errorFunction(x) - erf(x)) <= 1e-13 * abs(erf(x)), "\(x)")
            let small = x * scalbn(1, -Int(random.next() % 200))
            #expect(abs(errorFunction(small) - erf(small)) <= 1e-13 * abs(erf(small)), "\(small)")
        }
        #expect(errorFunction(0) == 0 && errorFunction(-0.0).sign == .minus)
        #expect(errorFunction(.infinity) == 1 && errorFunction(-.infinity) == -1 && errorFunction(.nan).isNaN)
    }

    @Test func `powers are within 2^-42, and those of special numbers as IEEE 754 says`() {
        var random = CounterRandom(key: 79)
        for _ in 0..<20_000 {
            let base = scalbn(1 + Double(random.uniform()), Int(random.next() % 100) - 50)
            let exponent = (Double(random.uniform()) - 0.5) * 20
            #expect(abs(power(base, exponent) - pow(base, exponent)) <= pow(base, exponent) * 0x1p-42)
        }
        let special: [Double] = [
            -.infinity, -1e300, -3, -2.5, -2, -1, -0.5, -0.0, 0, 0.5, 1, 2, 2.5, 3, 65, 67, 1e300, .infinity, .nan,
        ]
        for base in special {
            for exponent in special {
                let (found, expected) = (power(base, exponent), pow(base, exponent))
                let isClose = abs(found - expected) <= abs(expected) * 0x1p-42
                #expect(
                    found.isNaN && expected.isNaN || isClose || found == expected && found.sign == expected.sign,
                    "\(base)^\(exponent): \(found), not \(expected)")
            }
        }
    }

    /// The functions as float32 operators have them.
    @Test func `single precision is within 0.501 units in the last place`() {
        var random = CounterRandom(key: 80)
        func check(_ found: Double, _ expected: Double) {
            let rounded = Float(found)
            guard rounded.isNormal else { return }
            #expect(abs(Double(rounded) - expected) <= 0.501 * Double(rounded.ulp))
        }
        for _ in 0..<20_000 {
            let x = Double((random.uniform() - 0.5) * 20)
            let y = Double(random.uniform() * 20)
            check(exponential(x), exp(x))
            check(logarithm(y), log(y))
            check(errorFunction(x), erf(x))
            check(power(y, x), pow(y, x))
        }
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
