import Foundation
import Tensors
import TestSupport
import Testing
import Training

@Suite struct SafetensorsTests {
    private static let golden = goldenFolder("Training")

    @Test func `the reference's file is read`() throws {
        let contents = try Safetensors.read(Self.golden.appendingPathComponent("reference.safetensors"))
        #expect(contents.metadata == ["step": "7"])
        #expect(contents.tensors.keys.sorted() == ["a/weight", "b", "empty", "näme \"q\"", "scalar"].sorted())
        #expect(contents.tensors["b"] == Tensor(shape: [2, 3], [0, 1, 2, 3, 4, 5] as [Float]))
        #expect(contents.tensors["scalar"] == Tensor(scalar: 2.5 as Float))
        #expect(contents.tensors["empty"]?.shape == [0, 4])
        #expect(contents.tensors["a/weight"]?.shape == [2, 2, 2])
    }

    @Test func `files are read as they were written, and are the same bytes in any order`() throws {
        let scratch = try ScratchFolder()
        var random = CounterRandom(key: 82)
        let names = ["w", "b/ü", "quote\" back\\ line\n tab\t \u{1}", "empty", "scalar", "z"]
        let shapes: [Shape] = [[3, 4], [5], [1], [2, 0], [], [7]]
        let tensors = zip(names, shapes).map { name, shape in
            (name: name, tensor: Tensor(shape: shape, (0..<shape.count).map { _ in random.normal() }))
        }
        var digests: Set<String> = []
        for index in 0..<3 {
            let url = scratch.url.appendingPathComponent("\(index)")
            let digest = try Safetensors.write(
                tensors.shuffled(using: &random), metadata: ["b": "2", "a": "\"1\""], to: url)
            let contents = try Safetensors.read(url)
            #expect(contents.tensors == Dictionary(uniqueKeysWithValues: tensors.map { ($0.name, $0.tensor) }))
            #expect(contents.metadata == ["a": "\"1\"", "b": "2"])
            #expect(contents.digest == digest)
            digests.insert(digest)
        }
        #expect(digests.count == 1)
        let empty = scratch.url.appendingPathComponent("empty")
        try Safetensors.write([], to: empty)
        #expect(try Safetensors.read(empty).tensors.isEmpty)
    }

    @Test func `what cannot be written is refused`() throws {
        let scratch = try ScratchFolder()
        let url = scratch.url.appendingPathComponent("a")
        let one = Tensor(shape: [1], [1] as [Float])
        func code(_ tensors: [(name: String, tensor: Tensor)]) -> TrainingError.Code? {
            #expect(throws: TrainingError.self) { try Safetensors.write(tensors, to: url) }?.code
        }
        #expect(code([("a", one), ("a", one)]) == .duplicateName)
        #expect(code([("__metadata__", one)]) == .duplicateName)
        #expect(code([("a", Tensor(shape: [1], [1] as [Double]))]) == .unsupportedElementType)
        #expect(!FileManager.default.fileExists(atPath: url.path))
        try Safetensors.write([("a", one)], to: url)
        #expect(code([("a", one)]) == .cannotWrite)
    }

    @Test func `garbage is refused with the file's name`() throws {
        let scratch = try ScratchFolder()
        func error(_ header: String, length: UInt64? = nil, data: Int = 8) throws -> TrainingError {
            var bytes = withUnsafeBytes(of: (length ?? UInt64(header.utf8.count)).littleEndian) { Data($0) }
            bytes += Data(header.utf8) + Data(count: data)
            let url = try scratch.write(bytes, to: "bad")
            let error = try #require(throws: TrainingError.self, "\(header)") { try Safetensors.read(url) }
            #expect(error.file == url.path)
            return error
        }
        func tensor(_ fields: String) -> String { "{\"a\":{\(fields)}}" }
        #expect(try error(tensor(#""dtype":"F32","shape":[2],"data_offsets":[0,8]"#), data: 7).code == .truncated)
        #expect(try error(tensor(#""dtype":"F32","shape":[2],"data_offsets":[0,8]"#), data: 9).code == .malformed)
        #expect(try error(tensor(#""dtype":"F16","shape":[4],"data_offsets":[0,8]"#)).code == .unsupportedElementType)
        for fields in [
            #""dtype":"F32","shape":[2],"data_offsets":[0,4]"#, #""dtype":"F32","shape":[-2],"data_offsets":[0,8]"#,
            #""dtype":"F32","shape":[2],"data_offsets":[8,0]"#, #""dtype":"F32","shape":[2],"data_offsets":[-8,0]"#,
            #""dtype":"F32","shape":[2],"data_offsets":[0]"#, #""dtype":"F32","shape":[2.5],"data_offsets":[0,8]"#,
            #""dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,8]"#,
            #""dtype":"F32","shape":[9223372036854775807],"data_offsets":[0,8]"#,
            #""dtype":"F32","shape":[2],"data_offsets":[0,99999999999999999999]"#, #""dtype":"F32","shape":[2]"#,
            #""dtype":"F32","shape":[1],"data_offsets":[4,8]"#, #""dtype":7,"shape":[2],"data_offsets":[0,8]"#,
        ] { #expect(try error(tensor(fields)).code == .malformed, "\(fields)") }
        let two = #""dtype":"F32","shape":[2],"data_offsets":[0,8]"#
        #expect(try error("{\"a\":{\(two)},\"b\":{\(two)}}").code == .malformed)
        #expect(try error("[]").code == .malformed)
        #expect(try error(" {}", data: 0).code == .malformed)
        #expect(try error("{\"__metadata__\":3}", data: 0).code == .malformed)
        #expect(try error(String(repeating: "{\"a\":", count: 30_000), data: 0).code == .malformed)
        #expect(try error("{}", length: .max).code == .malformed)
        #expect(try error("{}", length: 3, data: 0).code == .truncated)
        let halves = Self.golden.appendingPathComponent("float16.safetensors")
        #expect(#expect(throws: TrainingError.self) { try Safetensors.read(halves) }?.code == .unsupportedElementType)
        for name in ["missing", ""] {
            let url = scratch.url.appendingPathComponent(name)
            #expect(#expect(throws: TrainingError.self) { try Safetensors.read(url) }?.code == .cannotOpen)
        }
        let short = try scratch.write(Data([1, 2, 3]), to: "short")
        #expect(#expect(throws: TrainingError.self) { try Safetensors.read(short) }?.code == .truncated)
    }

    /// Damaged files: read as something, or refused, never a trap.
    @Test func `no damage traps`() throws {
        let scratch = try ScratchFolder()
        let whole = try Data(contentsOf: Self.golden.appendingPathComponent("reference.safetensors"))
        var random = CounterRandom(key: 83)
        var refused = 0
        for _ in 0..<1500 {
            var data = whole
            for _ in 0...random.next() % 3 {
                data[Int(random.next() % UInt64(data.count))] = UInt8(truncatingIfNeeded: random.next())
            }
            if random.next() % 4 == 0 { data = data.prefix(Int(random.next() % UInt64(data.count))) }
            let url = try scratch.write(data, to: "damaged")
            do throws(TrainingError) {
                for tensor in try Safetensors.read(url).tensors.values { _ = tensor.elements(as: Float.self) }
            } catch { refused += 1 }
        }
        #expect(refused > 500)
    }
}
