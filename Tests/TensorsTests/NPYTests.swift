import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct NPYTests {
    private static let golden = goldenFolder("Tensors")

    @Test(arguments: [1, 2, 3]) func `versions are read`(version: Int) throws {
        let data = try Data(contentsOf: Self.golden.appendingPathComponent("version\(version).npy"))
        #expect(try NPY.decode(data) == Tensor(shape: [2, 3], [-7, -4, -1, 2, 5, 8] as [Float]))
    }

    @Test func `writing gives numpy's bytes`() throws {
        let data = try Data(contentsOf: Self.golden.appendingPathComponent("version1.npy"))
        #expect(NPY.encode(Tensor(shape: [2, 3], [-7, -4, -1, 2, 5, 8] as [Float])) == data)
    }

    @Test(arguments: [
        ("big_endian.npy", ">f4"), ("complex.npy", "<c8"), ("structured.npy", nil as String?),
    ])
    func `element types that tensors lack are named`(file: String, name: String?) throws {
        let data = try Data(contentsOf: Self.golden.appendingPathComponent(file))
        let error = try #require(throws: TensorFileError.self) { try NPY.decode(data) }
        #expect(error.code == .unsupportedElementType)
        if let name { #expect(error.found == name) }
    }

    @Test func `bfloat16 becomes float32`() throws {
        let bits: [UInt16] = [0x3F80, 0xC049, 0x7F80, 0x0001]
        let storage = TensorStorage(byteCount: 8) { target in bits.withUnsafeBytes { target.copyMemory(from: $0) } }
        let tensor = Tensor(shape: [4], elementType: .bfloat16, storage: storage)
        let values = bits.map { Float(bitPattern: UInt32($0) << 16) }
        #expect(try NPY.decode(NPY.encode(tensor)) == Tensor(shape: [4], values))
    }

    @Test(arguments: [
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}",
        "{\"shape\": (2L, 3L,), \"fortran_order\": False, \"descr\": \"<f4\",}\n",
        "  { 'descr':'<f4','fortran_order':False,'shape':[2,3] }   \n",
    ])
    func `headers are read as Python reads them`(text: String) throws {
        let tensor = try NPY.decode(Self.file(header: text, elements: 24))
        #expect(tensor.shape == [2, 3])
    }

    @Test(arguments: [
        "", "{", "{}", "{'descr': '<f4', 'fortran_order': False}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': (2, 3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, -3)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3.0)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 6}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (9223372036854775807, 2, 0)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 9223372036854775807, 2)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)} x",
        "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}",
        String(repeating: "[", count: 100_000 / 2),
    ])
    func `wrong headers are refused`(text: String) throws {
        let error = try #require(throws: TensorFileError.self) {
            try NPY.decode(Self.file(header: text, elements: 24))
        }
        #expect(error.code == .malformedHeader)
    }

    @Test func `wrong lengths are refused`() throws {
        let data = NPY.encode(Tensor(shape: [3], [1, 2, 3] as [Float]))
        for count in 0..<data.count {
            let error = try #require(throws: TensorFileError.self) { try NPY.decode(data.prefix(count)) }
            #expect(error.code == .truncated)
        }
        let error = try #require(throws: TensorFileError.self) { try NPY.decode(data + [0]) }
        #expect(error == TensorFileError(.trailingBytes, expected: "140", found: "141"))
    }

    @Test func `other files are refused`() throws {
        let error = try #require(throws: TensorFileError.self) { try NPY.decode(Data("PK345678901234".utf8)) }
        #expect(error == TensorFileError(.notNPY, expected: "934e554d5059", found: "504b33343536"))
        var data = NPY.encode(Tensor(shape: [3], [1, 2, 3] as [Float]))
        data[6] = 4
        #expect(try #require(throws: TensorFileError.self) { try NPY.decode(data) }.code == .unsupportedVersion)
    }

    @Test func `damaged files never trap`() throws {
        let seed: UInt64 = 11
        var random = CounterRandom(key: seed)
        let data = try Data(contentsOf: Self.golden.appendingPathComponent("version1.npy"))
        for round in 0..<2000 {
            var damaged = data
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                damaged[Int.random(in: 0..<128, using: &random)] = UInt8.random(in: .min ... .max, using: &random)
            }
            do {
                _ = try NPY.decode(damaged)
            } catch {
                #expect(error is TensorFileError, "seed \(seed), round \(round)")
            }
        }
    }

    private static func file(header text: String, elements: Int) -> Data {
        var data = Data([0x93] + Array("NUMPY".utf8) + [1, 0])
        data.append(contentsOf: [UInt8(text.utf8.count & 0xFF), UInt8(text.utf8.count >> 8)])
        data.append(contentsOf: text.utf8)
        return data + Data(count: elements)
    }
}
