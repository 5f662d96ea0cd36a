import Primitives
import Synchronization
import Tensors

/// Constants in the layouts that primitives want, shared by the lanes of a worker so that each exists once.
public final class WeightStore: Sendable {
    struct Key: Hashable {
        /// The constant's bytes, and not its name: a constant that is folded from a shape has other values under the same
        /// name in a plan for another number of samples.
        var constant: Tensor.Identity
        /// What was computed from it, empty for the constant itself.
        var variant: String
        /// `MemoryDescriptor.key` of the layout.
        var layout: [UInt8]

        init(_ constant: Tensor, variant: String, layout: MemoryDescriptor) {
            self.constant = constant.identity
            self.variant = variant
            self.layout = layout.key
        }
    }

    private struct Entry {
        let storage: TensorStorage
        /// Kept so that its identity stays its own.
        let constant: Tensor
    }

    private let entries = Mutex<[Key: Entry]>([:])
    /// The store that has the constants which outlast this one, and which they are.
    private let parent: WeightStore?
    private let shared: Set<Tensor.Identity>
    /// Held while a memory is made: lanes compile the same plan at the same time and would each make all of them.
    private let making = Mutex<Void>(())

    /// An empty store.
    public init() { (parent, shared) = (nil, []) }

    /// A store for graphs that have some constants in common with those of another store.
    init(over parent: WeightStore, sharing constants: [Tensor]) {
        (self.parent, shared) = (parent, Set(constants.map(\.identity)))
    }

    private init(parent: WeightStore?, shared: Set<Tensor.Identity>) { (self.parent, self.shared) = (parent, shared) }

    /// An empty store over the same one.
    func forOneRun() -> WeightStore { WeightStore(parent: parent, shared: shared) }

    /// The memory that is stored for the constant in a layout, or what `make` gives, which is then stored.
    func storage(
        of constant: Tensor, variant: String, as layout: MemoryDescriptor, make: () throws -> TensorStorage
    ) rethrows -> TensorStorage {
        if let parent, shared.contains(constant.identity) {
            return try parent.storage(of: constant, variant: variant, as: layout, make: make)
        }
        let key = Key(constant, variant: variant, layout: layout)
        if let stored = entries.withLock({ $0[key] }) { return stored.storage }
        return try making.withLock { _ in
            if let stored = entries.withLock({ $0[key] }) { return stored.storage }
            let made = Entry(storage: try make(), constant: constant)
            // The constant itself is hardly read again.
            constant.letGoOfPages()
            entries.withLock { $0[key] = made }
            return made.storage
        }
    }

    /// Lets go of what was made of constants; plans that compute with it keep it.
    package func forget(_ constants: [Tensor]) {
        guard !constants.isEmpty else { return }
        let identities = Set(constants.map(\.identity))
        entries.withLock { $0 = $0.filter { !identities.contains($0.key.constant) } }
    }

    /// Bytes held, layout padding included; the constants themselves are not counted.
    public var byteCount: Int {
        entries.withLock { $0.values.reduce(0) { $0 + $1.storage.bytes.count } }
    }
}
