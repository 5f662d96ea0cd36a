import Foundation

/// What workers say to each other in an exchange. Each message names the pass and the attempt that it belongs to.
public struct PeerMessage: Equatable, Sendable {
    public enum Kind: UInt8, Sendable {
        /// The sender knows the attempt's plan and takes parts.
        case ready
        /// What the sender adds to a part that the receiver owns.
        case contribution
        /// A part that the sender owns, reduced.
        case reduced
    }

    public var kind: Kind
    public var pass: Int
    public var attempt: Int
    /// 0 where the kind has none.
    public var part: Int
    public var data: Data

    public init(_ kind: Kind, pass: Int, attempt: Int, part: Int = 0, data: Data = Data()) {
        self.kind = kind
        self.pass = pass
        self.attempt = attempt
        self.part = part
        self.data = data
    }

    // Body: kind, then pass, attempt and part as UInt32, little-endian. The data is the bulk frame.
    private static let bodySize = 13

    public func encoded() -> Packet {
        var body = Data(capacity: Self.bodySize)
        body.append(kind.rawValue)
        for number in [pass, attempt, part] {
            withUnsafeBytes(of: UInt32(clamping: number).littleEndian) { body.append(contentsOf: $0) }
        }
        return Packet(sealing: body, bulk: kind == .ready ? nil : data)
    }

    /// - Throws: `WireError` for anything that `encoded` does not make.
    public init(decoding packet: Packet) throws(WireError) {
        let body = try packet.verifiedBody(bulkLimit: WireLimits.partSize)
        guard body.count == Self.bodySize, let first = body.first, let kind = Kind(rawValue: first) else {
            throw WireError(.malformed, expected: "\(Self.bodySize) bytes", found: "\(body.count)")
        }
        let numbers = body.dropFirst().withUnsafeBytes { bytes in
            (0..<3).map { Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 4 * $0, as: UInt32.self))) }
        }
        guard (packet.bulk == nil) == (kind == .ready) else { throw WireError(.frames, expected: "a bulk frame") }
        self.init(kind, pass: numbers[0], attempt: numbers[1], part: numbers[2], data: packet.bulk ?? Data())
    }
}
