import ClusterProtocol
import Foundation
import Messaging
import Support

/// What the threads of a worker's lanes share: shards to prepare, shards to compute, and what to compute them with.
///
/// Prepared shards are handed over in one queue of as many places as there are lanes, so that a lane never waits while
/// another has two. `@unchecked Sendable` is safe: every access to the state holds the condition's lock.
final class LaneQueue: @unchecked Sendable {
    typealias Item = WorkerState.WorkItem

    struct PreparedItem: Sendable {
        let id: WorkerState.ItemID
        let value: any Sendable
    }

    enum LaneTask {
        /// The pass is over: what was made for it is to be let go.
        case release
        case makeLane(setUp: Int, ErasedExecutor)
        case compute(PreparedItem)
    }

    private let condition = NSCondition()
    private let lanes: Int
    private var received: [Item] = []
    private var preparing: Set<WorkerState.ItemID> = []
    private var prepared: [PreparedItem] = []
    private var cancelled: Set<WorkerState.ItemID> = []
    private var setUp = 0
    private var executor: ErasedExecutor?
    /// What the pass's probe gave.
    private var probe: SHA256Digest?
    private var lanesReady = 0
    private var isStopped = false

    init(lanes: Int) {
        self.lanes = lanes
    }

    private func locked<Value>(_ body: () -> Value) -> Value {
        condition.lock()
        defer { condition.unlock() }
        return body()
    }

    /// Changes the state and wakes whom it may concern.
    private func changing<Value>(_ body: () -> Value) -> Value {
        locked {
            defer { condition.broadcast() }
            return body()
        }
    }

    func put(_ item: Item) {
        changing { received.append(item) }
    }

    /// Those among the items that had not begun to be computed; they will not be.
    func cancel(_ tokens: Set<LeaseToken>) -> [LeaseToken] {
        changing {
            var found = received.filter { tokens.contains($0.id.token) }.map(\.id.token)
            received.removeAll { tokens.contains($0.id.token) }
            found += prepared.filter { tokens.contains($0.id.token) }.map(\.id.token)
            prepared.removeAll { tokens.contains($0.id.token) }
            for id in preparing where tokens.contains(id.token) && cancelled.insert(id).inserted {
                found.append(id.token)
            }
            return found
        }
    }

    /// Lanes let go of the former executor at once and wait for the next.
    func expect(setUp: Int) {
        changing {
            self.setUp = setUp
            executor = nil
            lanesReady = 0
        }
    }

    /// False when another set-up is expected meanwhile.
    func provide(_ executor: ErasedExecutor, probe: SHA256Digest?, setUp: Int) -> Bool {
        changing {
            guard self.setUp == setUp else { return false }
            self.executor = executor
            self.probe = probe
            return true
        }
    }

    func reduction(setUp: Int) -> (any PartReduction)? {
        locked { self.setUp == setUp ? executor?.reduction : nil }
    }

    /// The set-up with what its probe gave, for the last lane; nil for the others.
    func laneIsReady(setUp: Int) -> (setUp: Int, probe: SHA256Digest?)? {
        changing {
            guard self.setUp == setUp else { return nil }
            lanesReady += 1
            return lanesReady == lanes ? (setUp, probe) : nil
        }
    }

    func stop() {
        changing { isStopped = true }
    }

    /// Waits for a shard to prepare; nil at the end.
    func nextToPrepare() -> (item: Item, executor: ErasedExecutor)? {
        locked {
            while true {
                if isStopped { return nil }
                if let executor, !received.isEmpty, preparing.count + prepared.count < lanes {
                    let item = received.removeFirst()
                    // Of another set-up: its lease is over, or the state would have cancelled it.
                    guard item.id.setUp == setUp else { continue }
                    preparing.insert(item.id)
                    return (item, executor)
                }
                condition.wait()
            }
        }
    }

    /// False when the shard was cancelled meanwhile.
    func finishPreparing(_ id: WorkerState.ItemID, _ value: (any Sendable)?) -> Bool {
        changing {
            preparing.remove(id)
            if cancelled.remove(id) != nil { return false }
            if let value { prepared.append(PreparedItem(id: id, value: value)) }
            return true
        }
    }

    /// Waits for a lane's next task; nil at the end. `current` is the set-up that the lane was made for or has tried.
    func nextTask(current: Int, holdsLane: Bool) -> LaneTask? {
        locked {
            while true {
                if isStopped { return nil }
                if current != setUp {
                    if holdsLane { return .release }
                    if let executor { return .makeLane(setUp: setUp, executor) }
                } else if !prepared.isEmpty {
                    let item = prepared.removeFirst()
                    guard item.id.setUp == setUp else { continue }
                    // There is a place for the next one.
                    condition.broadcast()
                    return .compute(item)
                }
                condition.wait()
            }
        }
    }
}
