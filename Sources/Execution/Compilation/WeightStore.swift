import Synchronization
import Tensors

/// Constants in the layouts that primitives want, shared by the lanes of a worker so that each exists once.
public final class WeightStore: Sendable {
    struct Key: Hashable {
        /// Name of the constant.
        var name: String
        /// What was computed from it, empty for the constant itself.
        var variant: String
        /// `MemoryDescriptor.key` of the layout.
        var layout: [UInt8]
    }

    private let entries = Mutex<[Key: TensorStorage]>([:])

    public init() {}

    /// The stored memory under `key`, or what `make` gives, which is then stored. Two lanes may make the same memory at the
    /// same time; the first to finish is kept.
    func storage(_ key: Key, make: () throws -> TensorStorage) rethrows -> TensorStorage {
        if let stored = entries.withLock({ $0[key] }) { return stored }
        let made = try make()
        return entries.withLock { entries in
            if let stored = entries[key] { return stored }
            entries[key] = made
            return made
        }
    }

    /// Bytes held.
    public var byteCount: Int {
        entries.withLock { $0.values.reduce(0) { $0 + $1.bytes.count } }
    }
}
