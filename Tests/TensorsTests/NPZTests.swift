import Foundation
import Support
import Tensors
import TestSupport
import Testing

@Suite struct NPZTests {
    private static let golden = goldenFolder("Tensors")

    @Test(arguments: ["stored.npz", "deflated.npz"])
    func `all element types and layouts are read`(file: String) throws {
        let arrays = try NPZ.read(Self.golden.appendingPathComponent(file))
        let byName = Dictionary(uniqueKeysWithValues: arrays.map { ($0.name, $0.tensor) })
        // numpy keeps the order of its arguments.
        #expect(arrays.prefix(3).map(\.name) == ["float16", "float32", "float64"])
        #expect(byName.count == 18)
        for type in ElementType.allCases where ![.bfloat16, .int4, .uint4].contains(type) {
            #expect(byName[type.rawValue] == Self.pattern([2, 3, 4], type), "\(type)")
        }
        #expect(byName["scalar"] == Self.pattern([], .float32))
        #expect(byName["empty"] == Self.pattern([0, 5], .float32))
        #expect(byName["vector"] == Self.pattern([7], .int64))
        #expect(byName["column_major"] == Self.pattern([2, 3, 4], .int16))
        #expect(byName["column_major_8"] == Self.pattern([3, 5], .float64))
        #expect(byName["column_major_1"] == Self.pattern([5, 2], .uint8))
    }

    @Test(arguments: [NPZ.Compression.stored, .deflated])
    func `what is written is read again`(compression: NPZ.Compression) throws {
        let scratch = try ScratchFolder()
        let file = scratch.url.appendingPathComponent("a.npz")
        var arrays = ElementType.allCases.filter { ![.bfloat16, .int4, .uint4].contains($0) }.map {
            (name: "layer/\($0.rawValue):0", tensor: Self.pattern([3, 1, 5], $0))
        }
        arrays.append(("", Self.pattern([], .int8)))
        arrays.append(("größe", Self.pattern([2, 0], .float32)))
        arrays.append(("large", Self.pattern([300, 1000], .float32)))
        try NPZ.write(arrays, to: file, compression: compression)
        let read = try NPZ.read(file)
        #expect(read.map(\.name) == arrays.map(\.name))
        #expect(read.map(\.tensor) == arrays.map(\.tensor))

        let bytes = try Data(contentsOf: file)
        try NPZ.write(arrays, to: file, compression: compression)
        #expect(try Data(contentsOf: file) == bytes, "the same arrays give the same bytes")
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.url.path) == ["a.npz"])
    }

    @Test func `what cannot be written leaves nothing behind`() throws {
        let scratch = try ScratchFolder()
        let array = (name: "a", tensor: Self.pattern([2], .float32))
        let file = scratch.url.appendingPathComponent("a.npz")
        let duplicate = try #require(throws: TensorFileError.self) { try NPZ.write([array, array], to: file) }
        #expect(duplicate == TensorFileError(.duplicateName, file: file.path, member: "a"))
        let missing = scratch.url.appendingPathComponent("no/a.npz")
        let error = try #require(throws: TensorFileError.self) { try NPZ.write([array], to: missing) }
        #expect(error.code == .cannotWrite && error.file == missing.path && !error.found.isEmpty)
        try FileManager.default.createDirectory(at: file, withIntermediateDirectories: false)
        #expect(throws: TensorFileError.self) { try NPZ.write([array], to: file) }
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.url.path) == ["a.npz"])
    }

    /// An archive that has its name is one that a crash cannot take any more.
    @Test func `an archive is on the disk before it has its name`() throws {
        let scratch = try ScratchFolder()
        let array = (name: "a", tensor: Self.pattern([2], .float32))
        let file = scratch.url.appendingPathComponent("a.npz")
        let log = FileLog()
        try log.recording { try NPZ.write([array], to: file) }
        #expect(log.flushesBeforeRename(of: file), "\(log.operations)")

        let old = try Data(contentsOf: file)
        for operation in [FileError.Operation.flush, .rename] {
            let error = FileLog(failing: operation).recording {
                #expect(throws: TensorFileError.self) { try NPZ.write([array, ("b", array.tensor)], to: file) }
            }
            let reason = String(cString: strerror(EIO))
            #expect(error == TensorFileError(.cannotWrite, file: file.path, found: reason))
        }
        #expect(try Data(contentsOf: file) == old)
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.url.path) == ["a.npz"])
    }

    @Test func `wrong files are refused`() throws {
        let scratch = try ScratchFolder()
        let missing = scratch.url.appendingPathComponent("none.npz")
        #expect(try #require(throws: TensorFileError.self) { try NPZ.read(missing) }.code == .cannotOpen)
        let text = try scratch.write(Data("not an archive".utf8), to: "text.npz")
        let error = try #require(throws: TensorFileError.self) { try NPZ.read(text) }
        #expect(error.code == .notZIP && error.file == text.path)
    }

    @Test func `a wrong checksum is noticed`() throws {
        let scratch = try ScratchFolder()
        var data = try Data(contentsOf: Self.golden.appendingPathComponent("rows.npz"))
        // The first member's elements begin behind a 128-byte .npy header.
        let header = try #require(data.firstRange(of: Data([0x93] + Array("NUMPY".utf8))))
        data[header.lowerBound + 130] ^= 1
        let file = try scratch.write(data, to: "a.npz")
        let error = try #require(throws: TensorFileError.self) { try NPZ.read(file) }
        #expect(error.code == .corruptMember && error.file == file.path)
    }

    @Test(arguments: ["rows.npz", "rows_deflated.npz"])
    func `damaged files never trap`(name: String) throws {
        let scratch = try ScratchFolder()
        let seed: UInt64 = 5
        var random = CounterRandom(key: seed)
        let data = try Data(contentsOf: Self.golden.appendingPathComponent(name))
        for round in 0..<400 {
            var damaged = data
            for _ in 0..<Int.random(in: 1...4, using: &random) {
                damaged[Int.random(in: 0..<data.count, using: &random)] = UInt8.random(
                    in: .min ... .max, using: &random)
            }
            if round % 4 == 0 { damaged = damaged.prefix(Int.random(in: 0..<data.count, using: &random)) }
            let file = try scratch.write(damaged, to: "a.npz")
            do {
                _ = try NPZ.read(file)
                let rows = try NPZRowReader(file)
                while try rows.next() != nil {}
            } catch {
                #expect(error is TensorFileError, "seed \(seed), round \(round)")
            }
        }
    }

    /// Element i is 3 i - 7 brought to the type, for bool whether i is even; as the script that makes the golden files
    /// has it.
    static func pattern(_ shape: Shape, _ type: ElementType) -> Tensor {
        let values = (0..<shape.count).map { 3 * $0 - 7 }
        func integers<Element: TensorElement & FixedWidthInteger>(_: Element.Type) -> Tensor {
            Tensor(shape: shape, values.map { Element(truncatingIfNeeded: $0) })
        }
        switch type {
        case .float32: return Tensor(shape: shape, values.map { Float($0) })
        case .float64: return Tensor(shape: shape, values.map { Double($0) })
        case .float16:
            // Small integers: from float32 by cutting the significand and moving the exponent.
            let halves = values.map { value -> UInt16 in
                let bits = Float(value).bitPattern
                if value == 0 { return 0 }
                let exponent = (bits >> 23 & 0xFF) - 127 + 15
                return UInt16(bits >> 16 & 0x8000 | exponent << 10 | bits >> 13 & 0x3FF)
            }
            return raw(shape, type, halves)
        case .int4, .uint4: return raw(shape, type, values.map { UInt8(truncatingIfNeeded: $0 % 8) })
        case .bfloat16: return raw(shape, type, values.map { UInt16(Float($0).bitPattern >> 16) })
        case .bool: return raw(shape, type, values.indices.map { $0 % 2 == 0 ? 1 as UInt8 : 0 })
        case .int8: return integers(Int8.self)
        case .int16: return integers(Int16.self)
        case .int32: return integers(Int32.self)
        case .int64: return integers(Int64.self)
        case .uint8: return integers(UInt8.self)
        case .uint16: return integers(UInt16.self)
        case .uint32: return integers(UInt32.self)
        case .uint64: return integers(UInt64.self)
        }
    }

    private static func raw<Word: BitwiseCopyable>(_ shape: Shape, _ type: ElementType, _ words: [Word]) -> Tensor {
        let storage = TensorStorage(byteCount: shape.count * type.size) { target in
            words.withUnsafeBytes { target.copyMemory(from: $0) }
        }
        return Tensor(shape: shape, elementType: type, storage: storage)
    }
}
