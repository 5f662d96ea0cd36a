import Foundation

/// The limits of what travels. They relate: a frame must pass a slow link well within a heartbeat timeout, and what one
/// message may announce bounds what a receiver ever sets aside for it.
public enum WireLimits {
    /// Counts the versions of the messages; peers of another one are refused.
    public static let protocolVersion: UInt16 = 4
    /// The most bytes in a bulk frame.
    public static let chunkSize = 1 << 20
    /// The most bytes in a frame of an exchange between workers. Parts of gradients take a quarter of a MiB; more only where
    /// their numbers are very far apart.
    public static let partSize = 2 << 20
    /// The most bytes in a control frame: leases are small, but a failure may carry long operands.
    public static let controlSize = 256 << 10
    /// The most bytes of a shard's payload or result.
    public static let shardSize = 1 << 30
    /// The most bytes of an artifact.
    public static let artifactSize = 64 << 30
    /// The most tokens in one ack, revoke or return.
    public static let tokensPerMessage = 4096
    /// The most participants of an exchange.
    public static let participants = 1024
}

/// The one or two frames of a message.
public struct Packet: Equatable, Sendable {
    /// The header and the body.
    public var control: Data
    /// At most `WireLimits.chunkSize` bytes.
    public var bulk: Data?

    public init(control: Data, bulk: Data? = nil) {
        self.control = control
        self.bulk = bulk
    }

    /// Nil for a number of frames that no message has.
    public init?(frames: some Collection<Data>) {
        guard let control = frames.first, frames.count <= 2 else { return nil }
        self.init(control: control, bulk: frames.count == 2 ? frames.dropFirst().first : nil)
    }

    /// Puts a header ahead of any body; tests make bad bodies with it.
    package init(sealing body: Data, bulk: Data?, version: UInt16 = WireLimits.protocolVersion) {
        control = FrameHeader(version: version, body: body, bulk: bulk).encoded() + body
        self.bulk = bulk
    }

    /// The same message as a program of another version of the protocol sends it.
    package func ofVersion(_ version: UInt16) -> Packet {
        Packet(sealing: control.dropFirst(FrameHeader.size), bulk: bulk, version: version)
    }

    /// The checked body.
    /// - Parameter bulkLimit: the most bytes of a bulk frame.
    func verifiedBody(bulkLimit: Int = WireLimits.chunkSize) throws(WireError) -> Data {
        let header = try FrameHeader(decoding: control)
        guard header.version == WireLimits.protocolVersion else {
            throw WireError(
                .protocolVersion, expected: "\(WireLimits.protocolVersion)", found: "\(header.version)")
        }
        let body = control.dropFirst(FrameHeader.size)
        guard body.count == header.bodyLength, body.count <= WireLimits.controlSize else {
            throw WireError(.truncated, expected: "\(header.bodyLength) bytes", found: "\(body.count)")
        }
        guard Checksum.of(body) == header.bodyChecksum else { throw WireError(.checksum, expected: "body") }
        guard let bulk else {
            guard header.bulkLength == FrameHeader.noBulk, header.bulkChecksum == 0 else {
                throw WireError(.frames, expected: "a bulk frame", found: "none")
            }
            return body
        }
        guard bulk.count == header.bulkLength, bulk.count <= bulkLimit else {
            throw WireError(.frames, expected: "\(header.bulkLength) bulk bytes", found: "\(bulk.count)")
        }
        guard Checksum.of(bulk) == header.bulkChecksum else { throw WireError(.checksum, expected: "bulk") }
        return body
    }
}

/// A message and its number in its session (0 outside of the control connection's count).
public struct Envelope<Message: Equatable & Sendable>: Equatable, Sendable {
    /// Counts the messages of one side of a session.
    public var sequence: UInt64
    /// What is said.
    public var message: Message

    public init(sequence: UInt64, message: Message) {
        self.sequence = sequence
        self.message = message
    }
}
