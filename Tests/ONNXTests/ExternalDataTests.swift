import Foundation
import ONNX
import Tensors
import Testing

/// External data that is not as the model says.
@Suite struct ExternalDataTests {
    private func error(_ folder: URL, _ entries: [String: String]) throws -> ONNXError {
        var proto = ONNXTensorProto()
        proto.name = "w"
        proto.dims = [2, 2]
        proto.dataType = 1
        proto.dataLocation = .external
        proto.externalData = entries.sorted { $0.key < $1.key }.map { .init(key: $0.key, value: $0.value) }
        let file = ONNXFile(model: ONNXModelProto(), name: "m.onnx", directory: folder)
        let error = try #require(throws: ONNXError.self) { try file.tensor(proto) }
        #expect(error.tensor == "w")
        return error
    }

    @Test func shortFilesAndWrongLengths() throws {
        try withTemporaryFolder { folder in
            try Data(count: 20).write(to: folder.appendingPathComponent("d"))
            #expect(try error(folder, ["location": "d", "offset": "5"]).code == .externalFileTooShort)
            #expect(try error(folder, ["location": "d", "offset": "\(Int.max)"]).code == .externalFileTooShort)
            #expect(try error(folder, ["location": "d", "offset": "-1"]).code == .invalidTensor)
            #expect(try error(folder, ["location": "d", "offset": "x"]).code == .invalidTensor)
            #expect(try error(folder, ["location": "d", "length": "20"]).code == .invalidTensor)
            #expect(try error(folder, ["location": "e"]).code == .missingExternalFile)
            #expect(try error(folder, [:]).code == .invalidTensor)
        }
    }

    @Test func pathsOutsideTheFolder() throws {
        try withTemporaryFolder { outside in
            let folder = outside.appendingPathComponent("model")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
            let secret = outside.appendingPathComponent("secret")
            try Data(count: 16).write(to: secret)
            try FileManager.default.createSymbolicLink(
                at: folder.appendingPathComponent("link"), withDestinationURL: secret)
            for location in ["../secret", secret.path, "link", "a/../../secret", "", "..", "."] {
                let code = try error(folder, ["location": location]).code
                #expect(code == .externalPathOutside, "\(location)")
            }
        }
    }

    @Test func extentsThatNoMemoryHolds() throws {
        let file = ONNXFile(model: ONNXModelProto(), directory: nil)
        for dims in [[-1], [1 << 62, 4], [1 << 40, 1 << 40, 0], [.max]] as [[Int64]] {
            var proto = ONNXTensorProto()
            proto.dims = dims
            proto.dataType = 1
            #expect(throws: ONNXError.self) { try file.tensor(proto) }
        }
    }
}
