import Foundation
import ONNX
import Tensors
import Testing

@Suite struct ReadingTests {
    @Test func typedFieldsHoldWhatRawBytesHold() throws {
        let file = try ONNXFile.read(golden("tensors.onnx"))
        let protos = file.model.graph.initializer
        #expect(protos.count == 24)
        for index in stride(from: 0, to: protos.count, by: 2) {
            #expect(!protos[index].hasRawData && protos[index + 1].hasRawData)
            let (typed, raw) = (try file.tensor(protos[index]), try file.tensor(protos[index + 1]))
            #expect(typed == raw, "\(protos[index].name)")
            #expect(typed.shape == [1, 3])
        }
    }

    @Test func rawBytesAreViewedNotCopied() throws {
        let tensor = Tensor(shape: [100], (0..<100).map { Float($0) })
        let proto = ONNXTensorProto(tensor, name: "t")
        let file = ONNXFile(model: ONNXModelProto(), directory: nil)
        let viewed = try file.tensor(proto)
        let addresses = tensor.withUnsafeBytes { a in viewed.withUnsafeBytes { (a.baseAddress, $0.baseAddress) } }
        #expect(addresses.0 == addresses.1)
        #expect(viewed == tensor)
    }

    @Test func externalDataIsFoundBesideTheModel() throws {
        let file = try ONNXFile.read(golden("external.onnx"))
        let tensors = Dictionary(
            uniqueKeysWithValues: try file.model.graph.initializer.map { ($0.name, try file.tensor($0)) })
        #expect(tensors["a"] == tensors["a.inline"])
        #expect(tensors["b"] == tensors["b.inline"])
        #expect(tensors["a"]?.shape == [3, 5])
    }

    @Test func externalDataCanComeAsBytes() throws {
        let data = try Data(contentsOf: golden("external.onnx"))
        let bytes = TensorStorage(viewing: try Data(contentsOf: golden("external.data")))
        let file = try ONNXFile(decoding: data, externalData: ["external.data": bytes])
        let inlined = try ONNXFile(decoding: try file.encoded())
        for proto in inlined.model.graph.initializer {
            #expect(proto.dataLocation != .external)
            #expect(try inlined.tensor(proto) == file.tensor(try #require(file.initializer(proto.name))))
        }
        let absent = try ONNXFile(decoding: data)
        let error = try #require(throws: ONNXError.self) { try absent.encoded() }
        #expect(error == ONNXError(.missingExternalFile, file: "external.data", tensor: "a"))
    }

    @Test func aPrefixOfAModelIsRefused() throws {
        let whole = try Data(contentsOf: golden("small.onnx"))
        #expect(throws: Never.self) { try ONNXFile(decoding: whole) }
        for count in 0..<whole.count {
            let error = try #require(throws: ONNXError.self) {
                try ONNXFile(decoding: whole.prefix(count), name: "cut.onnx")
            }
            #expect([.truncated, .notONNX].contains(error.code) && error.file == "cut.onnx", "\(count) bytes")
        }
    }

    @Test func changedBytesNeverCrash() throws {
        let whole = try Data(contentsOf: golden("external.onnx"))
        let seed: UInt64 = 1
        var random = CounterRandom(key: seed)
        for round in 0..<2000 {
            var bytes = whole
            for _ in 0...Int.random(in: 0..<4, using: &random) {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
            guard let file = try? ONNXFile(decoding: bytes, name: "round \(round) of seed \(seed)") else { continue }
            for proto in file.model.graph.initializer { _ = try? file.tensor(proto) }
        }
    }

    @Test func otherFilesAreRefused() throws {
        let missing = golden("absent.onnx")
        #expect(try #require(throws: ONNXError.self) { try ONNXFile.read(missing) }.code == .unreadable)
        let text = golden("generate.py")
        let error = try #require(throws: ONNXError.self) { try ONNXFile.read(text) }
        #expect(error.file == text.path)
        #expect([.notONNX, .truncated].contains(error.code))
    }
}

extension ONNXFile {
    func initializer(_ name: String) -> ONNXTensorProto? { model.graph.initializer.first { $0.name == name } }
}
