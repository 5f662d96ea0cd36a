import Foundation

/// A numbered part of a pass's data.
public struct Shard: Equatable, Sendable {
    /// Counts from 0 without gaps.
    public var index: Int
    /// Samples in the payload, for the count alone.
    public var sampleCount: Int
    /// Opaque to the cluster.
    public var payload: Data

    /// A shard of these parts.
    public init(index: Int, sampleCount: Int, payload: Data) {
        self.index = index
        self.sampleCount = sampleCount
        self.payload = payload
    }
}
