import Foundation
import Support
import Testing

/// Large files in little memory.
@Suite(.serialized) struct MappedFilesTests {
    /// Of this process, in bytes.
    private static func residentFileBytes() throws -> Int {
        let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
        let line = try #require(status.split(separator: "\n").first { $0.hasPrefix("RssFile:") })
        return try #require(line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) }) << 10
    }

    private static func file(blocks: Int) throws -> Data {
        let block = Data((0..<1 << 20).map { UInt8(truncatingIfNeeded: $0 &* 31) })
        let file = try UnnamedFile()
        for _ in 0..<blocks { try block.withUnsafeBytes { try file.append($0) } }
        return try file.mapped()
    }

    @Test func goingThroughAFileTakesTheMemoryOfAPiece() throws {
        let file = try Self.file(blocks: 96)
        let before = try Self.residentFileBytes()
        let digest = SHA256Digest(ofMapped: file)
        #expect(try Self.residentFileBytes() - before < 32 << 20)
        // Without letting go of anything.
        #expect(SHA256Digest(of: file) == digest)
        #expect(try Self.residentFileBytes() - before > 64 << 20)
        file.withUnsafeBytes { MappedFiles.letGo(of: $0) }
        #expect(try Self.residentFileBytes() - before < 32 << 20)
        #expect(SHA256Digest(ofMapped: file) == digest)
    }

    @Test func memoryThatIsNoFilesIsLeftAlone() {
        let data = Data(repeating: 7, count: 1 << 20)
        let digest = SHA256Digest(of: data)
        data.withUnsafeBytes { MappedFiles.letGo(of: $0) }
        #expect(SHA256Digest(of: data) == digest)
    }

    @Test func digestsAreReadAsTheyAreWritten() {
        let digest = SHA256Digest(of: Data("digest".utf8))
        #expect(SHA256Digest(hexadecimal: digest.description) == digest)
        for text in ["", "model.data", String(digest.description.dropLast()), digest.description + "0"] {
            #expect(SHA256Digest(hexadecimal: text) == nil)
        }
    }
}
