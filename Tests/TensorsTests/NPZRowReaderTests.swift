import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct NPZRowReaderTests {
    @Test(arguments: ["rows.npz", "rows_deflated.npz"])
    func `rows come in lockstep`(file: String) throws {
        let reader = try NPZRowReader(goldenFolder("Tensors").appendingPathComponent(file))
        #expect(reader.arrays.map(\.name) == ["input", "labels"])
        #expect(reader.arrays.map(\.elementType) == [.float32, .int64])
        #expect(reader.arrays.map(\.rowShape) == [[2, 3], []])
        #expect(reader.rowCount == 5)
        for row in 0..<5 {
            let tensors = try #require(try reader.next())
            #expect(tensors[0] == Tensor(shape: [2, 3], (0..<6).map { Float(3 * (6 * row + $0) - 7) }))
            #expect(tensors[1] == Tensor(scalar: Int64(3 * row - 7)))
        }
        #expect(try reader.next() == nil)
    }

    /// Rows smaller than, as large as and larger than the reader's buffer, reached by reading and by skipping in turns.
    @Test(arguments: [NPZ.Compression.stored, .deflated])
    func `skipping comes to the same rows as reading`(compression: NPZ.Compression) throws {
        let seed: UInt64 = 3
        var random = CounterRandom(key: seed)
        let scratch = try ScratchFolder()
        let file = scratch.url.appendingPathComponent("a.npz")
        let rowCount = 40
        let arrays = [1, 1000, 1 << 16, 100_000].map { width in
            (
                name: "a\(width)",
                tensor: Tensor(shape: [rowCount, width]) { (target: UnsafeMutableBufferPointer<Int32>) in
                    for index in target.indices { target[index] = Int32(truncatingIfNeeded: index &* 2_654_435_761) }
                }
            )
        }
        try NPZ.write(arrays, to: file, compression: compression)
        for round in 0..<4 {
            let reader = try NPZRowReader(file)
            var row = 0
            while row < rowCount {
                let wanted = Int.random(in: 0...8, using: &random)
                #expect(try reader.skip(wanted) == min(wanted, rowCount - row))
                row += min(wanted, rowCount - row)
                #expect(reader.position == row)
                guard row < rowCount else { break }
                let tensors = try #require(try reader.next())
                for (tensor, array) in zip(tensors, arrays) {
                    let width = array.tensor.shape[1]
                    let expected = (row * width..<(row + 1) * width).map {
                        Int32(truncatingIfNeeded: $0 &* 2_654_435_761)
                    }
                    #expect(tensor.elements(as: Int32.self) == expected, "seed \(seed), round \(round), row \(row)")
                }
                row += 1
            }
            #expect(try reader.next() == nil)
            #expect(try reader.skip(1) == 0)
        }
    }

    @Test func `arrays without common samples are refused`() throws {
        let scratch = try ScratchFolder()
        let file = scratch.url.appendingPathComponent("a.npz")
        func error(_ shapes: [Shape]) throws -> TensorFileError {
            let arrays = shapes.enumerated().map { ("a\($0.offset)", NPZTests.pattern($0.element, .float32)) }
            try NPZ.write(arrays, to: file)
            return try #require(throws: TensorFileError.self) { try NPZRowReader(file) }
        }
        #expect(
            try error([[5, 2], [4]])
                == TensorFileError(
                    .differentSampleCounts, file: file.path, member: "a1", expected: "5", found: "4"))
        #expect(
            try error([[5, 2], []]) == TensorFileError(.noSampleAxis, file: file.path, member: "a1", found: "[]"))
        let stored = goldenFolder("Tensors").appendingPathComponent("stored.npz")
        #expect(throws: TensorFileError.self) { try NPZRowReader(stored) }
    }
}
