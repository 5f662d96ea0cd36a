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

    @Test func channelsThatDoNotFitAreRefused() {
        let three = TensorEncodings(encodings: [1, 2, 3].map(Self.encoding), axis: 1)
        #expect(throws: QuantizationError.self) { try FakeQuantizer(three, shape: [3, 2]) }
        #expect(throws: QuantizationError.self) { try FakeQuantizer(three, shape: [3]) }
        #expect(throws: QuantizationError.self) { try FakeQuantizer(TensorEncodings(encodings: three.encodings)) }
    }
}
