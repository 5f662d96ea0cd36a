import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct NPZRowAccessTests {
    @Test(arguments: [NPZ.Compression.stored, .deflated])
    func `rows are read in any order`(compression: NPZ.Compression) throws {
        let scratch = try ScratchFolder()
        var random = CounterRandom(key: 95)
        // Rows smaller and larger than the buffer, a scalar each, and empty ones.
        let shapes: [Shape] = [[50, 3], [50, 4000], [50], [50, 0]]
        let arrays = shapes.enumerated().map { index, shape in
            (name: "\(index)", tensor: Tensor(shape: shape, (0..<shape.count).map { _ in random.normal() }))
        }
        let url = scratch.url.appendingPathComponent("a.npz")
        try NPZ.write(arrays, to: url, compression: compression)
        let temporary = scratch.url.appendingPathComponent("temporary")
        try FileManager.default.createDirectory(at: temporary, withIntermediateDirectories: false)
        let access = try NPZRowAccess(url, temporaryFolder: temporary)
        #expect(access.rowCount == 50)
        #expect(try FileManager.default.contentsOfDirectory(atPath: temporary.path).isEmpty)
        for _ in 0..<300 {
            let row = Int(random.next() % 50)
            for (found, (_, whole)) in zip(try access.row(row), arrays) {
                let size = whole.count / 50
                let elements = Array(whole.elements(as: Float.self)[row * size..<(row + 1) * size])
                #expect(found == Tensor(shape: Shape(Array(whole.shape.dimensions.dropFirst())), elements))
            }
        }
    }

    @Test func `damage of deflated members is found when they are inflated`() throws {
        let scratch = try ScratchFolder()
        let url = scratch.url.appendingPathComponent("a.npz")
        var random = CounterRandom(key: 96)
        try NPZ.write(
            [("x", Tensor(shape: [50, 100], (0..<5000).map { _ in random.normal() }))], to: url, compression: .deflated)
        var data = try Data(contentsOf: url)
        data[data.count / 2] ^= 0x55
        try data.write(to: url)
        #expect(throws: TensorFileError.self) { try NPZRowAccess(url) }
        let nowhere = scratch.url.appendingPathComponent("nowhere")
        try NPZ.write([("x", Tensor(shape: [1], [1] as [Float]))], to: url, compression: .deflated)
        let error = #expect(throws: TensorFileError.self) { try NPZRowAccess(url, temporaryFolder: nowhere) }
        #expect(error?.code == .cannotWrite)
    }
}
