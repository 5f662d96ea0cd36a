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

    @Test func blocksThatDoNotFitAreRefused() {
        let (shape, grids, axis, blockAxis) = Self.forms[0]
        let encodings = Self.blocks(shape, grids, axis: axis, blockAxis: blockAxis)
        for other: Shape in [[4, 5, 3, 3], [2, 6, 3, 3], [4, 6], [4, 6, 3, 3, 1]] {
            #expect(throws: QuantizationError.self) { try FakeQuantizer(encodings, shape: other) }
        }
        #expect(throws: QuantizationError.self) { try FakeQuantizer(encodings) }
    }
}
