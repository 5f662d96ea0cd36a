import ClusterProtocol
import Foundation
import Messaging
import Support

/// The threads that do a worker's work: for each lane one that prepares shards and one that computes them, and one that
/// sets passes up. They tell the network thread through its inbox.
final class LanePool {
    private let queue: LaneQueue
    private let setUps = Mailbox<WorkerState.SetUp?>()
    private var threads: [NamedThread] = []

    init(lanes: Int, stackSize: Int, factory: any PassExecutorFactory, inbox: Inbox<WorkerState.Event>) {
        let queue = LaneQueue(lanes: lanes)
        self.queue = queue
        for lane in 0..<lanes {
            threads.append(NamedThread("quantsim.prep\(lane)") { Self.prepare(queue, factory, inbox) })
            threads.append(
                NamedThread("quantsim.lane\(lane)", stackSize: stackSize) { Self.compute(queue, factory, inbox) })
        }
        let setUps = setUps
        threads.append(
            NamedThread("quantsim.setup", stackSize: stackSize) {
                var verified: Set<ArtifactID> = []
                while true {
                    for setUp in setUps.takeAll(timeout: .seconds(1)) {
                        guard let setUp else { return }
                        Self.make(setUp, factory, queue, inbox, &verified)
                    }
                }
            })
    }

    func setUp(_ setUp: WorkerState.SetUp) {
        queue.expect(setUp: setUp.number)
        setUps.put(setUp)
    }

    func put(_ item: WorkerState.WorkItem) {
        queue.put(item)
    }

    /// Those that had not begun.
    func cancel(_ tokens: [LeaseToken]) -> [LeaseToken] {
        queue.cancel(Set(tokens))
    }

    /// What the lanes of a set-up add to; nil where it is not the current one, or its pass is not reduced.
    func reduction(setUp: Int) -> (any PartReduction)? { queue.reduction(setUp: setUp) }

    /// Ends the threads. What computes right now is not waited for beyond the timeout: the process is about to end.
    func stop(timeout: Duration) {
        queue.stop()
        setUps.put(nil)
        let deadline = Moment.now + timeout
        for thread in threads { thread.join(timeout: max(.zero, deadline - .now)) }
    }

    /// - Parameter verified: artifacts of the set-up before whose digests are right.
    private static func make(
        _ setUp: WorkerState.SetUp, _ factory: any PassExecutorFactory, _ queue: LaneQueue,
        _ inbox: Inbox<WorkerState.Event>, _ verified: inout Set<ArtifactID>
    ) {
        do {
            // The chunks were checked one by one; this checks that they were put together rightly. What has come anew, the former
            // set-up lacked.
            verified.formIntersection(setUp.artifacts.keys)
            for (id, data) in setUp.artifacts where !verified.contains(id) {
                guard SHA256Digest(ofMapped: data) == id else {
                    throw ShardFailure(permanent: false, code: "artifactDigest", fields: ["expected": "\(id)"])
                }
                verified.insert(id)
            }
            func artifact(_ id: ArtifactID) throws -> Data {
                if let data = setUp.artifacts[id] { return data }
                // What made it needless when the pass was examined is gone since: a former exchange has ended only now.
                if setUp.pass.artifacts.contains(where: { $0.id == id }) {
                    throw ShardFailure(permanent: false, code: ShardFailure.stateMissing)
                }
                throw ShardFailure(permanent: true, code: "artifactUnknown", fields: ["expected": "\(id)"])
            }
            let executor = try factory.makeExecutor(
                descriptor: setUp.descriptor, isa: setUp.isa, artifacts: artifact)
            let probe = try factory.probe(descriptor: setUp.descriptor, artifacts: artifact)
            _ = queue.provide(ErasedExecutor(executor), probe: probe, setUp: setUp.number)
        } catch {
            inbox.put(.setUpFailed(setUp.number, ShardFailure(error, describedBy: factory)))
        }
    }

    private static func prepare(
        _ queue: LaneQueue, _ factory: any PassExecutorFactory, _ inbox: Inbox<WorkerState.Event>
    ) {
        while let (item, executor) = queue.nextToPrepare() {
            do {
                let value = try executor.prepare(item.shard, item.payload)
                _ = queue.finishPreparing(item.id, value)
            } catch {
                if queue.finishPreparing(item.id, nil) {
                    inbox.put(.failed(item.id, ShardFailure(error, describedBy: factory)))
                }
            }
        }
    }

    private static func compute(
        _ queue: LaneQueue, _ factory: any PassExecutorFactory, _ inbox: Inbox<WorkerState.Event>
    ) {
        let memory = LaneMemory()
        var current = 0
        var lane: ErasedExecutor.Compute?
        while let task = queue.nextTask(current: current, holdsLane: lane != nil) {
            switch task {
            case .release:
                lane = nil
                current = 0
            case .makeLane(let setUp, let executor):
                current = setUp
                do {
                    lane = try executor.makeLane(memory)
                    if let (_, probe) = queue.laneIsReady(setUp: setUp) { inbox.put(.setUpDone(setUp, probe: probe)) }
                } catch {
                    inbox.put(.setUpFailed(setUp, ShardFailure(error, describedBy: factory)))
                }
            case .compute(let item):
                guard let lane else { continue }
                do {
                    let began = Moment.now
                    let result = try lane(item.value)
                    let nanoseconds = (Moment.now - began).nanoseconds
                    guard result.count <= WireLimits.shardSize else {
                        throw ShardFailure(
                            permanent: true, code: "resultTooLarge",
                            fields: ["expected": "at most \(WireLimits.shardSize) bytes", "found": "\(result.count)"])
                    }
                    inbox.put(
                        .computed(
                            item.id, result: result, digest: SHA256Digest(of: result), nanoseconds: Int(nanoseconds)))
                } catch {
                    inbox.put(.failed(item.id, ShardFailure(error, describedBy: factory)))
                }
            }
        }
    }
}
