import Foundation
import Support

/// What workers say to each other in an exchange. Each message names the pass and the attempt that it belongs to.
public struct PeerMessage: Equatable, Sendable {
    /// What the message says.
    public enum Kind: UInt8, Sendable {
        /// The sender knows the attempt's plan and takes parts.
        case ready
        /// What the sender adds to a part that the receiver owns.
        case contribution
        /// A part that the sender owns, reduced.
        case reduced
    }

    /// What the message says.
    public var kind: Kind
    /// The pass whose contributions are exchanged.
    public var pass: Int
    /// As in the plan of the exchange.
    public var attempt: Int
    /// 0 where the kind has none.
    public var part: Int
    /// Empty where the kind has none.
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

    /// The message as it travels.
    public func encoded() -> Packet {
        var body = ByteWriter(capacity: Self.bodySize)
        body.append(kind.rawValue)
        for number in [pass, attempt, part] { body.append(UInt32(clamping: number)) }
        return Packet(sealing: body.data, bulk: kind == .ready ? nil : data)
    }

    /// - Throws: `WireError` for anything that `encoded` does not make.
    public init(decoding packet: Packet) throws(WireError) {
        let body = try packet.verifiedBody(bulkLimit: WireLimits.partSize)
        var reader = ByteReader(body, record: "peer message")
        do throws(ByteCodingError) {
            guard let kind = Kind(rawValue: try reader.take(UInt8.self)) else { throw reader.error(.malformed) }
            self.init(
                kind, pass: Int(try reader.take(UInt32.self)), attempt: Int(try reader.take(UInt32.self)),
                part: Int(try reader.take(UInt32.self)), data: packet.bulk ?? Data())
            try reader.finish()
        } catch {
            throw WireError(.malformed, expected: "\(Self.bodySize) bytes", found: "\(body.count)")
        }
        guard (packet.bulk == nil) == (kind == .ready) else { throw WireError(.frames, expected: "a bulk frame") }
    }
}
