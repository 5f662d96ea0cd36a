import Quantization
import Tensors
import Testing

@Suite struct GridRunsTests {
    /// The encoding of an element, by its indices.
    static func grid(ofElement index: Int, _ shape: Shape, _ grids: [Int]) -> Int {
        var grid = 0
        for axis in grids.indices {
            let place = index / shape.strides[axis] % shape[axis]
            grid = grid * grids[axis] + place * grids[axis] / shape[axis]
        }
        return grid
    }

    @Test func everyElementMeetsItsEncoding() {
        var random = CounterRandom(key: 40)
        for _ in 0..<500 {
            let rank = Int(random.next() % 4) + 1
            let grids = (0..<rank).map { _ in [1, 1, 2, 3].randomElement(using: &random) ?? 1 }
            let shape = Shape(grids.map { $0 * ([1, 1, 2, 3].randomElement(using: &random) ?? 1) })
            let runs = GridRuns(shape: shape, grids: grids)
            #expect(runs.gridCount == grids.reduce(1, *))
            #expect(
                runs.gridOfEachElement(count: shape.count)
                    == (0..<shape.count).map { Self.grid(ofElement: $0, shape, grids) }, "\(grids) of \(shape)")
        }
    }

    static func blocks(_ shape: Shape, _ grids: [Int], axis: Int, blockAxis: Int) -> TensorEncodings {
        let count = grids.reduce(1, *)
        return TensorEncodings(
            encodings: (0..<count).map {
                .fromRange(min: -0.3 - Double($0) / 7, max: 0.2, bitwidth: 4, symmetric: $0 % 2 == 0)
            }, axis: axis,
            blocks: .init(axis: blockAxis, size: shape[blockAxis] / grids[blockAxis]), blockGrids: grids)
    }

    /// A convolution's weight, a Gemm's with transB, and a MatMul's.
    static let forms: [(shape: Shape, grids: [Int], axis: Int, blockAxis: Int)] = [
        ([4, 6, 3, 3], [4, 3, 1, 1], 0, 1), ([5, 8], [5, 2], 0, 1), ([8, 5], [4, 5], 1, 0), ([4, 4], [4, 4], 1, 0),
    ]

    @Test(arguments: forms.indices) func blocksHaveTheirOwnGrid(index: Int) throws {
        let (shape, grids, axis, blockAxis) = Self.forms[index]
        let encodings = Self.blocks(shape, grids, axis: axis, blockAxis: blockAxis)
        var random = CounterRandom(key: 41)
        let tensor = Tensor(shape: shape, (0..<shape.count).map { _ in random.normal() })
        let found = try FakeQuantizer(encodings, shape: shape).applied(to: tensor)
        let expected = try tensor.elements(as: Float.self).enumerated().map { index, value in
            let encoding = encodings.encodings[Self.grid(ofElement: index, shape, grids)]
            return try FakeQuantizer(TensorEncodings(encoding)).applied(to: Tensor(scalar: value))
                .elements(as: Float.self)[0]
        }
        #expect(found == Tensor(shape: shape, expected))
    }

    /// More elements than are gone through in one piece: one encoding, runs, channels along the last axis, blocks of them.
    @Test(arguments: [[1, 1], [520, 1], [1, 2100], [4, 2100]]) func largeTensors(grids: [Int]) throws {
        let shape: Shape = [520, 2100]
        var random = CounterRandom(key: 42)
        let elements = (0..<shape.count).map { _ in random.normal() }
        let tensor = Tensor(shape: shape, elements)
        let runs = GridRuns(shape: shape, grids: grids)
        let places = runs.gridOfEachElement(count: shape.count)
        var members = [[Float]](repeating: [], count: runs.gridCount)
        for (place, element) in zip(places, elements) { members[place].append(element) }
        let expected = members.map { $0.withUnsafeBufferPointer { TensorStatistics(observing: $0) } }
        #expect(tensor.withUnsafeElements(as: Float.self) { runs.statistics(of: $0) } == expected)
    }

    @Test(arguments: [nil, 0, 1] as [Int?]) func largeTensorsAreQuantizedWhenTheyAreRead(axis: Int?) throws {
        let shape: Shape = [520, 2100]
        var random = CounterRandom(key: 43)
        let elements = (0..<shape.count).map { _ in random.normal() }
        let tensor = Tensor(shape: shape, elements)
        let encodings = TensorEncodings(
            encodings: (0..<(axis.map { shape[$0] } ?? 1)).map {
                .fromRange(min: -1 - Double($0 % 7), max: 2, bitwidth: 8, symmetric: false)
            }, axis: axis)
        let quantizer = try FakeQuantizer(encodings, shape: shape)
        let late = quantizer.appliedWhenRead(to: tensor)
        #expect(late == quantizer.applied(to: tensor))
        // What is read in place stays as long as somebody reads it.
        let (first, second) = (late.borrowed, late.borrowed)
        #expect(first.bytes.baseAddress == second.bytes.baseAddress)
        let found = late.elements(as: Float.self)
        for place in [0, 1, 2099, 2100, 1 << 20, shape.count - 1] {
            let grid = axis.map { $0 == 0 ? place / 2100 : place % 2100 } ?? 0
            let alone = try FakeQuantizer(TensorEncodings(encodings.encodings[grid]))
            #expect(alone.applied(to: Tensor(scalar: elements[place])) == Tensor(scalar: found[place]))
        }
    }

    @Test func blocksThatDoNotFitAreRefused() {
        let (shape, grids, axis, blockAxis) = Self.forms[0]
        let encodings = Self.blocks(shape, grids, axis: axis, blockAxis: blockAxis)
        for other: Shape in [[4, 5, 3, 3], [2, 6, 3, 3], [4, 6], [4, 6, 3, 3, 1]] {
            #expect(throws: QuantizationError.self) { try FakeQuantizer(encodings, shape: other) }
        }
        #expect(throws: QuantizationError.self) { try FakeQuantizer(encodings) }
    }
}
