import ClusterProtocol
import Foundation
import Messaging

/// An executor of any type, for the lanes.
struct ErasedExecutor: Sendable {
    typealias Compute = (any Sendable) throws -> Data

    let prepare: @Sendable (_ shard: Int, _ payload: Data) throws -> any Sendable
    /// What it returns is bound to the thread that made it.
    let makeLane: @Sendable (_ memory: LaneMemory) throws -> Compute
    /// Of an executor whose pass is reduced.
    let reduction: (any PartReduction)?

    init(_ executor: some ShardExecutor) {
        self.init(typed: executor)
    }

    private init<Executor: ShardExecutor>(typed executor: Executor) {
        reduction = (executor as? any ReducingExecutor)?.reduction
        prepare = { try executor.prepare(shard: $0, payload: $1) }
        makeLane = { memory in
            let lane = try executor.makeLane(keeping: memory)
            return { prepared in
                guard let prepared = prepared as? Executor.Prepared else {
                    preconditionFailure("a shard was prepared by another executor")
                }
                return try lane.compute(prepared)
            }
        }
    }
}

extension ShardFailure {
    /// An error as it travels: bounded, or else the message that carries it would be refused.
    init(_ error: any Error, describedBy factory: any PassExecutorFactory) {
        let failure = error as? ShardFailure ?? factory.failure(describing: error)
        let fields = failure.fields.sorted { $0.key < $1.key }.prefix(32)
            .map { (String($0.key.prefix(64)), String($0.value.prefix(1024))) }
        self.init(
            permanent: failure.permanent, code: String(failure.code.prefix(64)),
            fields: Dictionary(fields, uniquingKeysWith: { first, _ in first }))
    }
}
