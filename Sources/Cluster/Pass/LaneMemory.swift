/// What a lane's thread keeps from pass to pass. Lanes are made anew for each pass, and passes may be shorter than it takes to
/// make what a lane computes with: whatever is worth keeping is kept here, one value of a type.
///
/// It belongs to the one thread that all lanes in the same place are made, used and released on, and goes with it.
public final class LaneMemory {
    private var values: [ObjectIdentifier: Any] = [:]

    /// Remembers nothing yet.
    public init() {}

    /// The value of this type that is kept; it is made where there is none yet.
    /// - Throws: what making it throws; nothing is kept then.
    public func value<Value>(of type: Value.Type = Value.self, orMake make: () throws -> Value) rethrows -> Value {
        if let value = values[ObjectIdentifier(type)] as? Value { return value }
        let value = try make()
        values[ObjectIdentifier(type)] = value
        return value
    }
}

@available(*, unavailable) extension LaneMemory: Sendable {}
