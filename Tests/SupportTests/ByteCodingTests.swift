import Foundation
import Support
import Testing

@Suite struct ByteCodingTests {
    @Test func `what is written is read again`() throws {
        var writer = ByteWriter(counts: [3, .max])
        writer.append(UInt16(0x0102))
        writer.append(Int64(-2))
        writer.append(Float(-0.0))
        writer.append([9, 8])
        writer.append(Data([7]))
        writer.append(text: "größe")
        let varints: [UInt64] = [0, 1, 127, 128, 300, 1 << 32, .max]
        for value in varints { writer.appendVarint(value) }
        [UInt8(6)].withUnsafeBytes { writer.append($0) }
        // As a part of other data, whose indices do not begin at 0.
        let data = (Data([1, 2]) + writer.data).dropFirst(2)
        #expect(Array(data[data.startIndex + 16..<data.startIndex + 18]) == [2, 1])

        var reader = ByteReader(data, record: "test")
        #expect(try reader.takeCounts(2) == [3, .max])
        #expect(try reader.take(UInt16.self) == 0x0102)
        #expect(try reader.take(Int64.self) == -2)
        #expect(try reader.takeFloat().bitPattern == Float(-0.0).bitPattern)
        #expect(try Array(reader.take(3)) == [9, 8, 7])
        #expect(try reader.takeText() == "größe")
        for value in varints { #expect(try reader.takeVarint() == value) }
        #expect(throws: ByteCodingError.self) { try reader.finish() }
        #expect(reader.takeRest() == Data([6]))
        try reader.finish()
    }

    @Test func `varints are seven bits a byte`() {
        var writer = ByteWriter()
        for value: UInt64 in [0, 127, 128, 300] { writer.appendVarint(value) }
        #expect(writer.bytes == [0, 127, 128, 1, 172, 2])
    }

    @Test(arguments: [[0x80], [0x80, 0], [UInt8](repeating: 0xFF, count: 10), [UInt8](repeating: 0x80, count: 11)])
    func `other spellings of varints are refused`(bytes: [UInt8]) throws {
        var reader = ByteReader(Data(bytes), record: "test")
        let error = try #require(throws: ByteCodingError.self) { try reader.takeVarint("count") }
        #expect(error.record == "test" && error.part == "count")
        #expect(error.code == (bytes.count == 1 ? .truncated : .malformed))
    }

    @Test func `errors tell what was wanted where`() throws {
        var reader = ByteReader(Data([1, 2, 3]), record: "test")
        _ = try reader.take(UInt8.self)
        let error = try #require(throws: ByteCodingError.self) { try reader.take(UInt32.self, "size") }
        #expect(
            error
                == ByteCodingError(
                    .truncated, record: "test", part: "size", position: 1, expected: "4 bytes", found: "2"))
        #expect(throws: ByteCodingError.self) { try reader.take(-1) }
        #expect(reader.remaining == 2)
    }

    /// No memory is reserved for what a false length claims, and no product overflows.
    @Test func `false lengths are refused`() {
        let bytes = Data(repeating: 0xFF, count: 12)
        var reader = ByteReader(bytes, record: "test")
        #expect(throws: ByteCodingError.self) { try reader.takeCounts(.max) }
        #expect(throws: ByteCodingError.self) { try reader.takeCounts(-1) }
        #expect(throws: ByteCodingError.self) { try reader.takeCounts(1) }
        reader = ByteReader(bytes, record: "test")
        #expect(throws: ByteCodingError.self) { try reader.takeCount() }
        reader = ByteReader(Data([2, 0, 0, 0, 1, 2, 3]), record: "test")
        #expect(throws: ByteCodingError.self) { try reader.takeCount(minimumBytes: 2) }
        reader = ByteReader(Data([2, 0, 0, 0, 0xC3, 0x28]), record: "test")
        #expect(throws: ByteCodingError.self) { try reader.takeText() }
    }
}
