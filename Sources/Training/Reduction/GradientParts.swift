import Foundation
import Synchronization

/// One worker's gradients of an optimizer step, summed over its slots, in parts that are reduced with those of other
/// workers apart. Lanes add their slots' gradients while parts that are complete already travel: each part has its own lock.
public final class GradientParts: Sendable {
    /// Elements of a part, but for the last: 256 KiB of float32, a frame that neither clogs a connection nor costs much
    /// by itself.
    public static let partSize = 1 << 16

    /// Elements in all.
    public let count: Int
    /// How finely the gradients of slots are given.
    public let precision: GradientPrecision
    private let parts: [Part]
    private let memory: SumMemory
    private let observer = Mutex<(@Sendable () -> Void)?>(nil)

    private final class Part: Sendable {
        struct State {
            /// What slots here have added; nil before the first.
            var sum: ExactSum?
            /// That have added their share.
            var slots: Set<Int> = []
            /// What other workers contribute.
            var others: ExactSum?
            var result: [Float]?
        }

        let count: Int
        let state = Mutex(State())

        init(count: Int) {
            self.count = count
        }
    }

    /// - Parameters:
    ///   - count: elements of the flat vector, at least one.
    ///   - memory: where sums come from, and go when these parts are no longer used.
    public init(count: Int, precision: GradientPrecision, memory: SumMemory = SumMemory(limit: 0)) {
        precondition(count > 0, "a gradient of nothing")
        self.count = count
        self.precision = precision
        self.memory = memory
        parts = stride(from: 0, to: count, by: Self.partSize).map { Part(count: min(Self.partSize, count - $0)) }
    }

    deinit {
        for part in parts {
            let sums = part.state.withLock { [$0.sum.take(), $0.others.take()] }
            for case let sum? in sums { memory.takeBack(sum) }
        }
    }

    /// Parts that the vector is cut into.
    public var partCount: Int { parts.count }

    /// Has `progress` called whenever a slot has added its share of a part, on the thread that added it.
    public func observe(_ progress: @escaping @Sendable () -> Void) {
        observer.withLock { $0 = progress }
    }

    /// The elements of a part in the flat vector.
    public func range(ofPart part: Int) -> Range<Int> {
        part * Self.partSize..<min((part + 1) * Self.partSize, count)
    }

    /// Adds a slot's share of a part.
    /// - Parameter elements: [elements of the part], rounded by `SlotRounding`.
    /// - Throws: `TrainingError` with the flat index of the first element that is not finite or too large.
    public func add(slot: Int, part: Int, _ elements: UnsafeBufferPointer<Float>) throws(TrainingError) {
        let error: TrainingError? = parts[part].state.withLock { state in
            // Taken out, so that adding does not copy.
            var sum = state.sum.take() ?? memory.sum(count: parts[part].count)
            defer { state.sum = sum }
            do throws(TrainingError) {
                try sum.add(elements)
                state.slots.insert(slot)
                return nil
            } catch {
                return error
            }
        }
        guard var error else {
            observer.withLock { $0 }?()
            return
        }
        error.index = error.index.map { $0 + part * Self.partSize }
        throw error
    }

    /// Whether these slots, and no others, have added their shares of a part.
    public func isComplete(part: Int, slots: Set<Int>) -> Bool {
        parts[part].state.withLock { slots == $0.slots }
    }

    /// What the slots here have added to a part.
    public func contribution(part: Int) -> Data {
        parts[part].state.withLock { $0.sum ?? ExactSum(count: parts[part].count) }.encoded()
    }

    /// Begins to reduce a part, perhaps anew: what other workers have contributed is forgotten.
    public func beginReducing(part: Int) {
        parts[part].state.withLock { $0.others = nil }
    }

    /// Adds what another worker's slots have added to a part that is being reduced.
    /// - Throws: `TrainingError` (`.malformed`, `.lengthMismatch`, `.tooManyAddends`).
    public func add(_ contribution: Data, to part: Int) throws(TrainingError) {
        let error: TrainingError? = parts[part].state.withLock { state in
            // Taken out, so that adding does not copy.
            var sum = state.others.take() ?? memory.sum(count: parts[part].count)
            do throws(TrainingError) {
                try sum.add(encoded: contribution)
                state.others = sum
                return nil
            } catch {
                return error
            }
        }
        if let error { throw error }
    }

    /// Ends the reduction of a part that is complete here and has every other worker's contribution: its elements, rounded
    /// by blocks, as they are sent to all others.
    /// - Throws: `TrainingError(.tooManyAddends)`.
    public func reduced(part: Int) throws(TrainingError) -> Data {
        let result: Result<Data, TrainingError> = parts[part].state.withLock { state in
            var sum = state.others.take() ?? memory.sum(count: parts[part].count)
            defer { memory.takeBack(sum) }
            if let own = state.sum {
                do throws(TrainingError) { try sum.merge(own) } catch { return .failure(error) }
            }
            var values = sum.value()
            let data = RoundedGradient.encode(&values, bits: precision.sumBits)
            state.result = values
            return .success(data)
        }
        return try result.get()
    }

    /// Takes over a part that another worker has reduced.
    /// - Throws: `TrainingError(.malformed)`.
    public func install(_ reduced: Data, part: Int) throws(TrainingError) {
        let values = try RoundedGradient.decode(reduced, count: range(ofPart: part).count)
        parts[part].state.withLock { $0.result = values }
    }

    /// The reduced gradient: nil as long as a part is missing.
    public func result() -> [Float]? {
        var whole: [Float] = []
        whole.reserveCapacity(count)
        for part in parts {
            guard let values = part.state.withLock({ $0.result }) else { return nil }
            whole += values
        }
        return whole
    }
}
