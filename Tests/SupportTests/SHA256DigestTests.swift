import Foundation
import Support
import Testing

@Suite struct SHA256DigestTests {
    /// The digests of FIPS 180-4's examples.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
    ]) func `digests are those of the standard`(text: String, digits: String) throws {
        let digest = SHA256Digest(of: Data(text.utf8))
        #expect(digest.description == digits)
        #expect(digest.bytes.count == SHA256Digest.size)
        #expect(SHA256Digest(bytes: digest.bytes) == digest)
        #expect(SHA256Digest(bytes: digest.bytes.dropLast()) == nil)
        #expect(SHA256Digest(bytes: digest.bytes + [0]) == nil)
        #expect(digest.bytes.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) } == digest.prefix)
    }

    @Test func `pieces give the digest of the whole, at any time`() {
        let data = Data((0..<1000).map { UInt8(truncatingIfNeeded: $0 * 7) })
        for size in [1, 63, 64, 65, 999, 1000] {
            var hasher = SHA256Hasher()
            #expect(hasher.digest() == SHA256Digest(of: Data()))
            var taken = 0
            while taken < data.count {
                let end = min(taken + size, data.count)
                data[taken..<end].withUnsafeBytes { hasher.update($0) }
                taken = end
                #expect(hasher.digest() == SHA256Digest(of: data.prefix(taken)), "\(taken) in pieces of \(size)")
            }
        }
    }
}
