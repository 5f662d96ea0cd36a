import Foundation
import Messaging
import OrderedCollections

/// The artifacts that a worker has fetched, by digest, kept across passes: the least recently used go first when they
/// exceed the limit.
struct ArtifactCache {
    /// In bytes.
    let limit: Int
    /// Least recently used first.
    private var artifacts: OrderedDictionary<ArtifactID, Data> = [:]
    private(set) var size = 0

    init(limit: Int) {
        self.limit = limit
    }

    subscript(id: ArtifactID) -> Data? { artifacts[id] }

    mutating func insert(_ data: Data, as id: ArtifactID) {
        guard artifacts.updateValue(data, forKey: id) == nil else { return }
        size += data.count
    }

    /// Makes room, except for what is needed now.
    mutating func evict(keeping needed: [ArtifactID]) {
        for id in needed {
            if let data = artifacts.removeValue(forKey: id) { artifacts[id] = data }
        }
        while size > limit, let (oldest, data) = artifacts.elements.first, !needed.contains(oldest) {
            artifacts.removeFirst()
            size -= data.count
        }
    }
}

/// An artifact on its way in. Chunks come in order; a lost session continues where it was.
struct ArtifactFetch {
    let reference: ArtifactReference
    var data: any ArrivingArtifact
    /// The end of what was asked for, in bytes.
    var asked: Int

    init(_ reference: ArtifactReference, into data: any ArrivingArtifact) {
        self.reference = reference
        self.data = data
        asked = 0
    }

    var isWhole: Bool { data.count == reference.size }

    mutating func interrupt() {
        asked = data.count
    }

    /// The offset to ask for next, nil when enough is under way.
    mutating func next(window: Int, chunkSize: Int) -> Int? {
        guard asked < reference.size, asked - data.count < window * chunkSize else { return nil }
        defer { asked = min(reference.size, asked + chunkSize) }
        return asked
    }
}
