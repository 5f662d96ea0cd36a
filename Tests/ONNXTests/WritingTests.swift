import Foundation
import ONNX
import Support
import Tensors
import Testing
import TestSupport

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

    /// A model that has its name is one that a crash cannot take any more, nor the tensors that it refers to.
    @Test func aModelIsOnTheDiskBeforeItHasItsName() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("out.onnx")
            let data = url.appendingPathExtension("data")
            var file = try ONNXFile.read(golden("external.onnx"))
            file.model.graph.initializer.append(
                ONNXTensorProto(Tensor(shape: [500], (0..<500).map { Float($0) }), name: "large"))
            let log = FileLog()
            try log.recording { try file.write(to: url, inlineLimit: 1000) }
            #expect(log.flushesBeforeRename(of: url), "\(log.operations)")
            #expect(log.flushesBeforeRename(of: data), "\(log.operations)")
            let renames = zip(log.operations, log.paths).filter { $0.0 == .rename }.map(\.1)
            #expect(renames == [data.path, url.path])

            for operation in [FileError.Operation.create, .write, .flush, .rename] {
                for (limit, failed) in [(1000, data), (1_000_000, url)] {
                    let error = FileLog(failing: operation, with: ENOSPC).recording {
                        #expect(throws: ONNXError.self) { try file.write(to: url, inlineLimit: limit) }
                    }
                    let reason = String(cString: strerror(ENOSPC))
                    #expect(error == ONNXError(.notWritten, file: failed.path, found: reason), "\(operation)")
                }
            }
            let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            #expect(files == ["out.onnx", "out.onnx.data"])
        }
    }

    /// Two to a byte in the file, one to a byte in memory.
    @Test(arguments: [ElementType.int4, .uint4], [0, 1, 2, 7]) func fourBitElementsArePacked(
        type: ElementType, count: Int
    ) throws {
        let values: [Int8] = type == .int4 ? [-8, 7, -1, 0, 1, 3, -5] : [15, 7, 8, 0, 1, 3, 9]
        let storage = TensorStorage(byteCount: count) { bytes in
            for index in 0..<count { bytes.storeBytes(of: values[index], toByteOffset: index, as: Int8.self) }
        }
        let tensor = Tensor(shape: [count], elementType: type, storage: storage)
        let proto = ONNXTensorProto(tensor, name: "t")
        #expect(proto.rawData.count == (count + 1) / 2)
        if count == 7 {
            #expect(proto.rawData == Data(type == .int4 ? [0x78, 0x0F, 0x31, 0x0B] : [0x7F, 0x08, 0x31, 0x09]))
        }
        let file = try ONNXFile.read(golden("small.onnx"))
        #expect(try file.tensor(proto) == tensor)

        var typed = proto
        typed.clearRawData()
        typed.int32Data = proto.rawData.map { Int32($0) }
        #expect(try file.tensor(typed) == tensor)
        typed.int32Data.append(0)
        #expect(throws: ONNXError.self) { try file.tensor(typed) }
    }

    @Test func fourBitElementsInAnExternalFile() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("out.onnx")
            let storage = TensorStorage(byteCount: 4001) { bytes in
                for index in bytes.indices { bytes[index] = UInt8(index % 16) }
            }
            let tensor = Tensor(shape: [4001], elementType: .uint4, storage: storage)
            var file = try ONNXFile.read(golden("small.onnx"))
            file.model.graph.initializer.append(ONNXTensorProto(tensor, name: "packed"))
            try file.write(to: url, inlineLimit: 1000)
            let read = try ONNXFile.read(url)
            let proto = try #require(read.initializer("packed"))
            #expect(proto.dataLocation == .external)
            #expect(try read.tensor(proto) == tensor)
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
