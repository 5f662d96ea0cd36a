import Quantization
import Tensors
import Testing

@Suite struct FakeQuantizerTests {
    static func encoding(_ scale: Double) -> Encoding {
        .fromRange(min: -scale, max: scale, bitwidth: 4, symmetric: true)
    }

    @Test func resultsLieOnTheGridAndStayThere() throws {
        var random = CounterRandom(key: 20)
        let encoding = Encoding.fromRange(min: -1, max: 2, bitwidth: 8, symmetric: false)
        let quantizer = try FakeQuantizer(TensorEncodings(encoding))
        let values = (0..<1000).map { _ in random.normal() * 2 } + [.nan, .infinity, -.infinity]
        var results = values
        results.withUnsafeMutableBufferPointer {
            if let x = $0.baseAddress { quantizer.apply(inPlace: x, count: $0.count) }
        }
        for (value, result) in zip(values, results) {
            let index = (Double(result) / encoding.delta).rounded()
            #expect(Float(index) * Float(encoding.delta) == result)
            #expect(index >= Double(encoding.offset) && index <= Double(encoding.offset + encoding.steps))
            if Double(value) > encoding.min, Double(value) < encoding.max {
                #expect(abs(Double(value - result)) <= encoding.delta * 0.5001)
            }
        }
        #expect(results.suffix(3) == [Float(encoding.min), results.max() ?? 0, results.min() ?? 0])
        let again = quantizer.applied(to: Tensor(shape: [1003], results))
        #expect(again == Tensor(shape: [1003], results))
    }

    @Test(arguments: 0..<3) func channelsHaveTheirOwnGrid(axis: Int) throws {
        var random = CounterRandom(key: 21)
        let shape: Shape = [3, 4, 5]
        let tensor = Tensor(shape: shape, (0..<60).map { _ in random.normal() })
        let encodings = (0..<shape[axis]).map { Self.encoding(0.5 + Double($0)) }
        let found = try FakeQuantizer(TensorEncodings(encodings: encodings, axis: axis), shape: shape).applied(
            to: tensor)
        let expected = try tensor.elements(as: Float.self).enumerated().map { index, value in
            let channel = index / shape.strides[axis] % shape[axis]
            let quantizer = try FakeQuantizer(TensorEncodings(encodings[channel]))
            return quantizer.applied(to: Tensor(scalar: value)).elements(as: Float.self)[0]
        }
        #expect(found == Tensor(shape: shape, expected))
    }

    /// Swift's own conversion is the oracle: all patterns of 16 bits, what lies around the middle between them, and others.
    @Test func halfPrecisionIsRoundedAsIEEESays() throws {
        var random = CounterRandom(key: 22)
        var values: [Float] = [
            65519.99, 65520, 65504, 1e30, 0x1p-25, 0x1.000002p-25, 0x1p-26, 0x1.ffcp-15, 0x1.ffep-15,
        ]
        for pattern in UInt16.min...UInt16.max {
            let half = Float16(bitPattern: pattern)
            let middle = (Float(half) + Float(half.nextUp)) / 2
            values += [Float(half), middle, middle.nextUp, middle.nextDown]
        }
        for _ in 0..<100_000 { values.append(Float(bitPattern: UInt32(truncatingIfNeeded: random.next()))) }
        values += values.map { -$0 }
        let found: [Float] = try FakeQuantizer(.float16).applied(to: Tensor(shape: [values.count], values)).elements()
        let wrong = zip(values, found).filter { value, found in
            let expected = Float(Float16(value))
            return expected.isNaN ? !found.isNaN : expected.bitPattern != found.bitPattern
        }
        #expect(wrong.isEmpty, "\(wrong.prefix(5))")
    }

    @Test func channelsThatDoNotFitAreRefused() {
        let three = TensorEncodings(encodings: [1, 2, 3].map(Self.encoding), axis: 1)
        #expect(throws: QuantizationError.self) { try FakeQuantizer(three, shape: [3, 2]) }
        #expect(throws: QuantizationError.self) { try FakeQuantizer(three, shape: [3]) }
        #expect(throws: QuantizationError.self) { try FakeQuantizer(TensorEncodings(encodings: three.encodings)) }
    }
}
