import Foundation
import ONNX
import Support
import Tensors
import Testing

/// Models in two parts, as they travel.
@Suite struct PackedModelTests {
    private static func model() throws -> (ONNXFile, [String: Tensor]) {
        var file = try ONNXFile.read(golden("external.onnx"))
        var tensors: [String: Tensor] = [:]
        for (index, count) in [30_000, 16_384, 16_383, 20_001].enumerated() {
            let tensor = Tensor(shape: [count], (0..<count).map { Float($0 * (index + 1)) })
            tensors["large.\(index)"] = tensor
            file.model.graph.initializer.append(ONNXTensorProto(tensor, name: "large.\(index)"))
        }
        return (file, tensors)
    }

    @Test func aPackedModelIsTheSame() throws {
        let (file, tensors) = try Self.model()
        let packed = try file.packed()
        let pack = try #require(packed.tensors)
        // That of 16,383 elements is a few bytes short of being large.
        #expect(pack.count >= 4 * (30_000 + 16_384 + 20_001))
        #expect(packed.file.count < 4 * (16_383 + 4000))
        let bytes = pack.bytes(0..<pack.count)
        #expect(SHA256Digest(of: bytes) == pack.digest)

        let decoded = try ONNXFile(decoding: packed.file)
        #expect(decoded.externalLocations == [pack.digest.description])
        let read = ONNXFile(
            model: decoded.model, externalData: [pack.digest.description: TensorStorage(viewing: bytes)])
        for proto in file.model.graph.initializer {
            let found = try #require(read.model.graph.initializer.first { $0.name == proto.name })
            #expect(try read.tensor(found) == file.tensor(proto))
        }
        #expect(tensors.keys.allSatisfy { name in read.model.graph.initializer.contains { $0.name == name } })
    }

    @Test func anyRangeOfAPackIsItsBytes() throws {
        let pack = try #require(Self.model().0.packed().tensors)
        let bytes = pack.bytes(0..<pack.count)
        for start in [0, 1, 119_999, 120_000, 120_001, 120_064, 185_535, 185_536, pack.count - 1] {
            for count in [0, 1, 63, 64, 65, 70_000, pack.count] {
                let range = start..<min(start + count, pack.count)
                #expect(pack.bytes(range) == bytes[range])
            }
        }
    }

    @Test func smallModelsAreOneFile() throws {
        let packed = try ONNXFile.read(golden("external.onnx")).packed()
        #expect(packed.tensors == nil)
        #expect(try ONNXFile(decoding: packed.file).externalLocations.isEmpty)
    }
}
