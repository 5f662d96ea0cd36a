import Foundation
import ONNX
import Tensors
import Testing

@Suite struct WritingTests {
    @Test func aWrittenModelIsTheSame() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("out.onnx")
            let file = try ONNXFile.read(golden("small.onnx"))
            try Data("old".utf8).write(to: url)
            try file.write(to: url)
            #expect(try ONNXFile.read(url).model == file.model)
            #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["out.onnx"])
        }
    }

    @Test func aLargeModelGetsAnExternalFile() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("out.onnx")
            let large = Tensor(shape: [500], (0..<500).map { Float($0) })
            var file = try ONNXFile.read(golden("external.onnx"))
            file.model.graph.initializer.append(ONNXTensorProto(large, name: "large"))
            try file.write(to: url, inlineLimit: 1000)
            let read = try ONNXFile.read(url)
            #expect(read.initializer("large")?.dataLocation == .external)
            #expect(try read.tensor(try #require(read.initializer("large"))) == large)
            for name in ["a", "b"] {
                let inline = try file.tensor(try #require(file.initializer("\(name).inline")))
                #expect(try read.tensor(try #require(read.initializer(name))) == inline)
            }
            let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            #expect(files == ["out.onnx", "out.onnx.data"])
        }
    }

    @Test func aFolderThatIsNotThereIsNamed() throws {
        let file = try ONNXFile.read(golden("small.onnx"))
        let url = golden("absent/out.onnx")
        let error = try #require(throws: ONNXError.self) { try file.write(to: url) }
        #expect(error.code == .notWritten && error.file == url.path)
    }

    @Test func fieldsThatAreNotNamedInTheSchemaSurvive() throws {
        // Field 16 of GraphProto (metadata_props), which the schema here does not name.
        let graph = Data([0x82, 0x01, 0x06, 0x0A, 0x01, 0x6B, 0x12, 0x01, 0x76])
        let proto = try ONNXGraphProto(serializedBytes: graph)
        #expect(try proto.serializedBytes() as Data == graph)
    }
}
