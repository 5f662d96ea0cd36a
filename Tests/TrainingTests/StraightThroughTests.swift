import Foundation
import Quantization
import Support
import Tensors
import Testing
import Training

@Suite struct StraightThroughTests {
    private struct Case: Sendable {
        var name: String
        var axis: Int?
        var bitwidth: Int
        var symmetric = false

        static let all = [
            Case(name: "tensor8", bitwidth: 8), Case(name: "tensor4", bitwidth: 4), Case(name: "tensor2", bitwidth: 2),
            Case(name: "symmetric8", bitwidth: 8, symmetric: true),
            Case(name: "symmetric4", bitwidth: 4, symmetric: true), Case(name: "first_axis", axis: 0, bitwidth: 4),
            Case(name: "middle_axis", axis: 1, bitwidth: 4, symmetric: true),
            Case(name: "last_axis", axis: 1, bitwidth: 8),
        ]

        func ranges(_ golden: Golden) throws -> [LearnedRange] {
            try zip(golden.floats(name + ".min"), golden.floats(name + ".max")).map {
                LearnedRange(min: $0, max: $1, bitwidth: bitwidth, symmetric: symmetric)
            }
        }
    }

    private static let sets = InstructionSet.allCases.filter { $0 <= .best }

    @Test func `values, gradients and gradients of the range are aimet-torch's`() throws {
        let golden = try Golden("straight_through.npz")
        for test in Case.all {
            let x = try golden.tensor(test.name + ".x")
            let g = try golden.floats(test.name + ".g")
            let ranges = try test.ranges(golden)
            let encodings = ranges.map(\.encoding)
            #expect(encodings.map { Float($0.delta) } == (try golden.floats(test.name + ".delta")), "\(test.name)")
            #expect(encodings.map { Float($0.offset) } == (try golden.floats(test.name + ".offset")), "\(test.name)")
            for set in Self.sets {
                let estimator = try StraightThrough(
                    TensorEncodings(encodings: encodings, axis: test.axis), shape: x.shape, instructionSet: set)
                var values: [Float] = x.elements()
                var mask = GradientMask()
                values.withUnsafeMutableBufferPointer { estimator.forward(inPlace: $0, recording: &mask) }
                let expected = try golden.floats(test.name + ".y")
                #expect(greatestDifference(values, expected) == 0, "\(test.name), \(set)")

                var gradient = g
                gradient.withUnsafeMutableBufferPointer { estimator.backward(inPlace: $0, mask: mask) }
                #expect(gradient == (try golden.floats(test.name + ".x_gradient")), "\(test.name), \(set)")

                var passed = g
                let sums = passed.withUnsafeMutableBufferPointer { passed in
                    x.withUnsafeElements(as: Float.self) { estimator.backward(inPlace: passed, values: $0) }
                }
                #expect(passed == gradient, "\(test.name), \(set)")
                let least = try golden.floats(test.name + ".min_gradient")
                let greatest = try golden.floats(test.name + ".max_gradient")
                for (index, (range, sum)) in zip(ranges, sums).enumerated() {
                    // The reference adds up in float32.
                    let (min, max) = range.gradient(sum)
                    #expect(abs(min - least[index]) <= 2e-5 * abs(least[index]) + 2e-5, "\(test.name), \(index)")
                    #expect(abs(max - greatest[index]) <= 2e-5 * abs(greatest[index]) + 2e-5, "\(test.name), \(index)")
                }
            }
        }
    }

    /// All instruction sets give the bits of `FakeQuantizer`, one mask, and the same sums; for all lengths and channels.
    @Test func `variants agree with each other and with the plain quantizer`() throws {
        for seed in 0..<300 as Range<UInt64> {
            var random = CounterRandom(key: 79, seed)
            let shape = Shape((0..<3).map { _ in Int(random.next() % 7) * (random.next() % 4 == 0 ? 5 : 1) + 1 })
            let axis = [nil, 0, 1, 2][Int(random.next() % 4)]
            let bitwidth = [2, 4, 8, 16][Int(random.next() % 4)]
            let encodings = (0..<(axis.map { shape[$0] } ?? 1)).map { _ in
                Encoding.fromRange(
                    min: -Double(random.uniform()) * 2, max: Double(random.uniform()) * 2, bitwidth: bitwidth,
                    symmetric: random.next() & 1 == 0)
            }
            let form = TensorEncodings(encodings: encodings, axis: axis)
            let x = (0..<shape.count).map { index -> Float in
                switch random.next() % 24 {
                case 0: return .nan
                case 1: return random.next() & 1 == 0 ? .infinity : -.infinity
                case 2: return -0
                case 3:
                    let encoding = encodings[Int(random.next() % UInt64(encodings.count))]
                    // Halfway between grid points, and so at the ends of the grid too.
                    let step = Double(encoding.offset) - 0.5 + Double(random.next() % UInt64(encoding.steps + 2))
                    return Float(step * encoding.delta)
                default: return random.normal()
                }
            }
            let g = (0..<shape.count).map { _ in random.normal() }
            let quantizer = try FakeQuantizer(form, shape: shape)
            let plain = quantizer.applied(to: Tensor(shape: shape, x)).elements(as: Float.self)
            var reference: (mask: GradientMask, gradient: [Float], sums: [RangeSums])?
            for set in Self.sets {
                let estimator = try StraightThrough(form, shape: shape, instructionSet: set)
                var values = x
                var mask = GradientMask()
                values.withUnsafeMutableBufferPointer { estimator.forward(inPlace: $0, recording: &mask) }
                #expect(values.map(\.bitPattern) == plain.map(\.bitPattern), "seed \(seed), \(set)")
                var gradient = g
                gradient.withUnsafeMutableBufferPointer { estimator.backward(inPlace: $0, mask: mask) }
                for index in x.indices {
                    let channel = axis.map { index / shape.strides[$0] % shape[$0] } ?? 0
                    let q = (x[index] / Float(encodings[channel].delta)).rounded(.toNearestOrEven)
                    let place = q - Float(encodings[channel].offset)
                    let passes = place >= 0 && place <= Float(encodings[channel].steps)
                    #expect(mask[index] == passes, "seed \(seed), \(set), \(x[index])")
                    #expect(gradient[index].bitPattern == (passes ? g[index] : 0).bitPattern)
                }
                var passed = g
                passed.withUnsafeMutableBufferPointer { passed in
                    _ = x.withUnsafeBufferPointer { estimator.backward(inPlace: passed, values: $0) }
                }
                #expect(passed.map(\.bitPattern) == gradient.map(\.bitPattern), "seed \(seed), \(set)")
                let finite = x.map { $0.isFinite ? $0 : 3 }
                var ofFinite = g
                let sums = ofFinite.withUnsafeMutableBufferPointer { ofFinite in
                    finite.withUnsafeBufferPointer { estimator.backward(inPlace: ofFinite, values: $0) }
                }
                if let reference {
                    #expect(mask == reference.mask && gradient == reference.gradient && sums == reference.sums)
                }
                reference = reference ?? (mask, gradient, sums)
            }
        }
    }

    /// Beside and beyond the length from which on memory is written past the caches, wherever it begins.
    @Test func `values that are kept are rounded as others are`() throws {
        for (seed, length) in [0, 1, 15, 16, 4099, 1 << 17, (1 << 17) + 37].enumerated() {
            var random = CounterRandom(key: 82, UInt64(seed))
            let x = (0..<length + 3).map { _ in random.normal() }
            let range = LearnedRange(min: -0.8, max: 1.1, bitwidth: 8, symmetric: false)
            for set in Self.sets {
                let estimator = try StraightThrough(TensorEncodings(range.encoding), instructionSet: set)
                for start in 0...3 {
                    let own = Array(x[start..<start + length])
                    var (masked, values, mask) = (own, own, GradientMask())
                    masked.withUnsafeMutableBufferPointer { estimator.forward(inPlace: $0, recording: &mask) }
                    var kept = [Float](repeating: .nan, count: length + 3)
                    values.withUnsafeMutableBufferPointer { values in
                        kept.withUnsafeMutableBufferPointer {
                            estimator.forward(
                                inPlace: values,
                                keeping: UnsafeMutableBufferPointer(rebasing: $0[start..<start + length]))
                        }
                    }
                    #expect(values == masked && Array(kept[start..<start + length]) == own, "\(length), \(set)")
                    #expect(kept.filter(\.isNaN).count == 3, "\(length), \(set), \(start)")
                }
            }
        }
    }

    @Test func `range sums are the definition's`() throws {
        var random = CounterRandom(key: 80)
        let range = LearnedRange(min: -0.8, max: 1.1, bitwidth: 4, symmetric: false)
        let (delta, offset) = (Float(range.encoding.delta), Float(range.encoding.offset))
        let x = (0..<1000).map { _ in random.normal() }
        let g = (0..<1000).map { _ in random.normal() }
        var expected = RangeSums(delta: 0, offset: 0)
        for (x, g) in zip(x, g) {
            let q = (x / delta).rounded(.toNearestOrEven)
            let inside = (offset...offset + 15).contains(q)
            expected.delta += Double(g) * Double(inside ? q - x / delta : min(max(q, offset), offset + 15))
            expected.offset += inside ? 0 : Double(g) * Double(delta)
        }
        let estimator = try StraightThrough(TensorEncodings(range.encoding))
        var passed = g
        let sums = passed.withUnsafeMutableBufferPointer { passed in
            x.withUnsafeBufferPointer { estimator.backward(inPlace: passed, values: $0) }
        }
        #expect(abs(sums[0].delta - expected.delta) < 1e-9 && abs(sums[0].offset - expected.offset) < 1e-9)
    }

    @Test func `a range has the grid it was made of`() {
        var random = CounterRandom(key: 81)
        for _ in 0..<2000 {
            let encoding = Encoding.fromRange(
                min: -Double(random.uniform()) * 10, max: Double(random.uniform()) * 10,
                bitwidth: [2, 4, 8, 16][Int(random.next() % 4)], symmetric: random.next() & 1 == 0)
            let found = LearnedRange(encoding).encoding
            #expect(found.offset == encoding.offset && found.steps == encoding.steps)
            #expect(abs(found.delta - encoding.delta) <= 0x1p-22 * encoding.delta)
        }
        // Ranges that training has turned over or shrunk still have a grid with zero in it.
        for (min, max) in [(0.5, -0.5), (0, 0), (1, 2), (-2, -1), (1e-30, 1e-30)] as [(Float, Float)] {
            let encoding = LearnedRange(min: min, max: max, bitwidth: 8, symmetric: false).encoding
            #expect(encoding.delta > 0 && (-255...0).contains(encoding.offset))
        }
    }

    /// Each block as a tensor of its own.
    @Test(arguments: [[4, 6, 2], [6, 4]], InstructionSet.allCases.filter { $0 <= .best })
    func `blocks are tensors of their own`(dimensions: [Int], set: InstructionSet) throws {
        let shape = Shape(dimensions)
        let (axis, blockAxis, size) = dimensions.count == 3 ? (0, 1, 2) : (1, 0, 3)
        var grids = [Int](repeating: 1, count: shape.rank)
        (grids[axis], grids[blockAxis]) = (shape[axis], shape[blockAxis] / size)
        let count = grids.reduce(1, *)
        let encodings = TensorEncodings(
            encodings: (0..<count).map { .fromRange(min: -0.4, max: Double($0) / 9, bitwidth: 4, symmetric: false) },
            axis: axis, blocks: .init(axis: blockAxis, size: size), blockGrids: grids)
        let estimator = try StraightThrough(encodings, shape: shape, instructionSet: set)
        var random = CounterRandom(key: 9)
        let x = (0..<shape.count).map { _ in random.normal() }
        let g = (0..<shape.count).map { _ in random.normal() }
        var (values, gradient, mask) = (x, g, GradientMask())
        values.withUnsafeMutableBufferPointer { estimator.forward(inPlace: $0, recording: &mask) }
        let sums = gradient.withUnsafeMutableBufferPointer { gradient in
            x.withUnsafeBufferPointer { estimator.backward(inPlace: gradient, values: $0) }
        }
        var masked = g
        masked.withUnsafeMutableBufferPointer { estimator.backward(inPlace: $0, mask: mask) }
        #expect(masked == gradient)
        for (block, encoding) in encodings.encodings.enumerated() {
            let places = x.indices.filter { index in
                var grid = 0
                for axis in grids.indices {
                    grid = grid * grids[axis] + index / shape.strides[axis] % shape[axis] * grids[axis] / shape[axis]
                }
                return grid == block
            }
            let own = try StraightThrough(TensorEncodings(encoding), instructionSet: set)
            var (ownValues, ownGradient) = (places.map { x[$0] }, places.map { g[$0] })
            let ownX = ownValues
            var ownMask = GradientMask()
            ownValues.withUnsafeMutableBufferPointer { own.forward(inPlace: $0, recording: &ownMask) }
            let ownSums = ownGradient.withUnsafeMutableBufferPointer { gradient in
                ownX.withUnsafeBufferPointer { own.backward(inPlace: gradient, values: $0) }
            }
            #expect(ownValues == places.map { values[$0] } && ownGradient == places.map { gradient[$0] })
            #expect(abs(ownSums[0].delta - sums[block].delta) <= 1e-12 * (1 + abs(ownSums[0].delta)))
            #expect(abs(ownSums[0].offset - sums[block].offset) <= 1e-12 * (1 + abs(ownSums[0].offset)))
        }
    }

    @Test func `half precision lets every gradient pass`() throws {
        let estimator = try StraightThrough(.float16)
        let x: [Float] = [0.1, -70_000, 3, .infinity, 1e-9, 5, 6, 7, 8.0001]
        var (values, mask) = (x, GradientMask())
        values.withUnsafeMutableBufferPointer { estimator.forward(inPlace: $0, recording: &mask) }
        #expect(values == x.map { Float(Float16($0)) })
        let ones = [Float](repeating: 1, count: x.count)
        var gradient = ones
        gradient.withUnsafeMutableBufferPointer { estimator.backward(inPlace: $0, mask: mask) }
        #expect(gradient == ones)
        let sums = gradient.withUnsafeMutableBufferPointer { gradient in
            x.withUnsafeBufferPointer { estimator.backward(inPlace: gradient, values: $0) }
        }
        #expect(gradient == ones && sums.isEmpty)
    }

    @Test func `channels that do not fit are refused`() throws {
        let encoding = Encoding.fromRange(min: -1, max: 1, bitwidth: 8, symmetric: true)
        let three = [encoding, encoding, encoding]
        #expect(throws: QuantizationError.self) { try StraightThrough(TensorEncodings(encodings: three)) }
        #expect(throws: QuantizationError.self) {
            try StraightThrough(TensorEncodings(encodings: three, axis: 0), shape: [4, 3])
        }
        #expect(throws: QuantizationError.self) {
            try StraightThrough(TensorEncodings(encodings: three, axis: 2), shape: [3, 3])
        }
        var mask = GradientMask()
        let estimator = try StraightThrough(TensorEncodings(encodings: three, axis: 0), shape: [3, 0])
        estimator.forward(inPlace: UnsafeMutableBufferPointer(start: nil, count: 0), recording: &mask)
        #expect(mask.count == 0)
    }
}
