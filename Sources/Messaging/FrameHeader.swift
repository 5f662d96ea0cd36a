import CXXHash
import Foundation
import Support

/// The fixed header ahead of every control message. It is checked before a single byte behind it is looked at, and its
/// layout is the same in every version of the protocol, so that another version is told from random bytes.
///
/// Layout (little endian): magic 4 bytes, protocol version 2, zero 2, body length 4, bulk length 4, body checksum 8, bulk
/// checksum 8, checksum of the 32 bytes before it 8.
struct FrameHeader: Equatable {
    static let size = 40
    static let magic: UInt32 = 0x4D53_5143  // "CQSM"

    var version: UInt16
    var bodyLength: UInt32
    /// `noBulk` when the message has no second frame; an empty second frame has length 0.
    var bulkLength: UInt32
    var bodyChecksum: UInt64
    var bulkChecksum: UInt64

    static let noBulk = UInt32.max

    func encoded() -> Data {
        var writer = ByteWriter(capacity: Self.size)
        writer.append(Self.magic)
        writer.append(version)
        writer.append(UInt16(0))
        writer.append(bodyLength)
        writer.append(bulkLength)
        writer.append(bodyChecksum)
        writer.append(bulkChecksum)
        writer.append(Checksum.of(writer.data))
        return writer.data
    }

    init(version: UInt16, body: Data, bulk: Data?) {
        self.version = version
        bodyLength = UInt32(body.count)
        bulkLength = bulk.map { UInt32($0.count) } ?? Self.noBulk
        bodyChecksum = Checksum.of(body)
        bulkChecksum = bulk.map { Checksum.of($0) } ?? 0
    }

    /// Reads and checks the first `size` bytes of a control frame.
    init(decoding frame: Data) throws(WireError) {
        guard frame.count >= Self.size else {
            throw WireError(.truncated, expected: "at least \(Self.size) bytes", found: "\(frame.count)")
        }
        let bytes = [UInt8](frame.prefix(Self.size))
        func read<T: FixedWidthInteger>(_ offset: Int, _: T.Type) -> T {
            T(littleEndian: bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: T.self) })
        }
        guard read(0, UInt32.self) == Self.magic else { throw WireError(.notOurs) }
        guard read(32, UInt64.self) == bytes.withUnsafeBytes({ Checksum.of(.init(rebasing: $0[..<32])) }) else {
            throw WireError(.checksum, expected: "header")
        }
        version = read(4, UInt16.self)
        bodyLength = read(8, UInt32.self)
        bulkLength = read(12, UInt32.self)
        bodyChecksum = read(16, UInt64.self)
        bulkChecksum = read(24, UInt64.self)
    }
}

/// A 64-bit checksum against accidents on the way: TCP's own 16 bits are weak over terabytes. Damage passes with
/// probability 2^-64; against forgery it is no protection.
///
/// Rejected: Poly1305, which took a third of the computing time that an exchange of gradients spends outside of the kernel.
enum Checksum {
    static func of(_ data: Data) -> UInt64 {
        data.withUnsafeBytes { of($0) }
    }

    static func of(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        XXH3_64bits(bytes.baseAddress, bytes.count)
    }
}
