import Foundation
import Messaging
import Testing

@testable import ClusterProtocol

@Suite struct ArrivingBytesTests {
    /// What is only announced takes no memory: 64 GiB, and as much as there are numbers.
    @Test(arguments: [64 << 30, Int.max]) func anAnnouncementCostsNothing(size: Int) {
        var bytes = ArrivingBytes(size: size, first: Data([1]))
        let areTaken = [bytes.append(Data([2, 3]), at: 1), bytes.append(Data([4]), at: 3)]
        #expect(areTaken == [true, true])
        #expect(bytes.count == 4 && !bytes.isWhole)
        let all = bytes.take()
        #expect(all == Data([1, 2, 3, 4]))
    }

    @Test func whatDoesNotFollowIsNotTaken() {
        var bytes = ArrivingBytes(size: 4, first: Data([1, 2]))
        let areTaken = [(Data(), 2), (Data([3]), 1), (Data([3]), 3), (Data([3, 4, 5]), 2), (Data([3]), .max)].map {
            bytes.append($0.0, at: $0.1)
        }
        #expect(!areTaken.contains(true))
        let isTaken = bytes.append(Data([3, 4]), at: 2)
        #expect(isTaken && bytes.isWhole)
        let all = bytes.take()
        #expect(all == Data([1, 2, 3, 4]))
    }

    /// A worker that is told of 64 GiB, of a lease or an artifact, lives on.
    @Test func aWorkerTakesNoMemoryForWhatIsAnnounced() throws {
        var leases = HeldLeases()
        #expect(leases.request(upTo: 1) == 1)
        let token = LeaseToken(epoch: 1, counter: 1)
        let arrival = leases.take(
            CoordinatorMessage.LeaseMessage(
                pass: 0, shard: 0, token: token, sampleCount: 1, size: 64 << 30, chunk: Data([1])), setUp: 1)
        guard case .partial = arrival else {
            Issue.record("\(arrival)")
            return
        }
        guard case .partial = leases.append(Data([2]), at: 1, to: token) else {
            Issue.record("the second chunk is refused")
            return
        }
        let fetch = ArtifactFetch(
            ArtifactReference(id: ArtifactID(of: Data()), size: 64 << 30), into: ArrivingBytes(size: 64 << 30))
        #expect(fetch.data.count == 0)
    }

    /// Twice the chunks take about twice the time; quadratic copying would take four times, and 256 times over all of these.
    @Test func timeIsProportionalToTheBytes() {
        let chunk = Data(count: 1 << 16)
        func seconds(_ count: Int) -> Double {
            let start = ContinuousClock.now
            var bytes = ArrivingBytes(size: count << 16, first: chunk)
            for index in 1..<count where !bytes.append(chunk, at: index << 16) { Issue.record("\(index)") }
            let taken = bytes.take().count
            #expect(taken == count << 16)
            return (ContinuousClock.now - start) / .seconds(1)
        }
        let small = (0..<5).map { _ in seconds(64) }.min() ?? 0
        let large = (0..<3).map { _ in seconds(1024) }.min() ?? 0
        #expect(large < 100 * max(small, 0.001), "\(small) s, then \(large) s of sixteen times as much")
    }
}
