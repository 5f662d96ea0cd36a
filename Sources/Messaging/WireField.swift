import Foundation
import Support
import SwiftProtobuf

/// Fields that are checked on their way in: what a message says is bounded before anyone acts on it.
enum WireField {
    static func int(_ value: UInt64, in range: ClosedRange<Int>, _ name: String) throws(WireError) -> Int {
        guard let int = Int(exactly: value), range.contains(int) else {
            throw WireError(.malformed, expected: "\(name) in \(range)", found: "\(value)")
        }
        return int
    }

    static func digest(_ bytes: Data) throws(WireError) -> SHA256Digest {
        guard let digest = SHA256Digest(bytes: bytes) else {
            throw WireError(.malformed, expected: "a digest of \(SHA256Digest.size) bytes", found: "\(bytes.count)")
        }
        return digest
    }

    static func tokens(_ values: [UInt64]) throws(WireError) -> [LeaseToken] {
        guard values.count <= WireLimits.tokensPerMessage else {
            throw WireError(
                .malformed, expected: "at most \(WireLimits.tokensPerMessage) tokens", found: "\(values.count)")
        }
        return values.map { LeaseToken(rawValue: $0) }
    }

    static func chunk(_ packet: Packet) throws(WireError) -> Data {
        guard let bulk = packet.bulk else { throw WireError(.frames, expected: "a bulk frame", found: "none") }
        return bulk
    }

    static func expectBulk(_ expected: Bool, in packet: Packet) throws(WireError) {
        guard expected == (packet.bulk != nil) else {
            throw WireError(.frames, expected: expected ? "a bulk frame" : "no bulk frame")
        }
    }
}

extension SwiftProtobuf.Message {
    init(verifying packet: Packet) throws(WireError) {
        let body = try packet.verifiedBody()
        do {
            try self.init(serializedBytes: body)
        } catch {
            throw WireError(.malformed, expected: "\(Self.protoMessageName)")
        }
    }

    func packet(bulk: Data?) -> Packet {
        do {
            return Packet(sealing: try serializedData(), bulk: bulk)
        } catch {
            // Encoding proto3 fails only above 2 GiB or for missing required fields, which proto3 lacks.
            preconditionFailure("a control message does not encode: \(error)")
        }
    }
}

extension WireHeartbeat {
    init(_ heartbeat: HeartbeatMessage) {
        self.init()
        sent = heartbeat.sent
        received = heartbeat.received
    }
}

extension HeartbeatMessage {
    init(_ wire: WireHeartbeat) {
        self.init(sent: wire.sent, received: wire.received)
    }
}

extension WireArtifact {
    init(_ reference: ArtifactReference) {
        self.init()
        id = reference.id.bytes
        size = UInt64(reference.size)
    }
}

extension ArtifactReference {
    init(_ wire: WireArtifact) throws(WireError) {
        self.init(
            id: try WireField.digest(wire.id),
            size: try WireField.int(wire.size, in: 0...WireLimits.artifactSize, "size"))
    }
}

extension WireFailure {
    init(_ failure: ShardFailure) {
        self.init()
        permanent = failure.permanent
        code = failure.code
        fields = failure.fields
    }
}

extension ShardFailure {
    init(_ wire: WireFailure) {
        self.init(permanent: wire.permanent, code: wire.code, fields: wire.fields)
    }
}
