import Cluster
import ClusterProtocol
import Foundation
import Messaging
import Testing

/// Both sides tell what they wait for, and why in vain, for as long as they do.
@Suite struct WaitingTests {
    @Test func aWorkerTellsWhyThereIsNoCoordinator() {
        var script = WorkerScript()
        _ = script.on(.started)
        var probes: [Int] = []
        for second in 1...13 {
            script.now = Moment(nanoseconds: Int64(second) * 1_000_000_000)
            if script.on(.tick).probes { probes.append(second) }
        }
        #expect(probes == [2, 7, 12])
        let lines = script.on(.probed(endpoint: "tcp://h:5", reason: "refused")).waitingLines
        let fields = ["endpoint": "tcp://h:5", "reason": "refused", "waited": "13s", "gives.up.in": "287s"]
        #expect(lines == [fields])
        _ = script.connects()
        let greeted = script.on(.probed(endpoint: "tcp://h:5", reason: "refused")).waitingLines
        #expect(greeted.first?["reason"] == "connected, but not welcomed yet")
        // What was found out comes too late where a coordinator has come meanwhile.
        _ = script.isWelcomed()
        #expect(script.on(.probed(endpoint: "tcp://h:5", reason: "refused")).waitingLines.isEmpty)
    }

    @Test func aWorkerThatLosesItsCoordinatorTellsSoToo() {
        var script = WorkerScript()
        _ = script.isReady()
        _ = script.on(.disconnected(incarnation: script.incarnation))
        var probes = 0
        for _ in 0..<12 {
            script.now = script.now + .seconds(1)
            if script.on(.tick).probes { probes += 1 }
        }
        #expect(probes == 3)
    }

    @Test func aCoordinatorTellsThatNoWorkerIsThere() {
        var script = CoordinatorScript()
        let worker = PeerID(worker: "w", incarnation: 1)
        func reports(_ seconds: Int) -> [Duration] {
            var found: [Duration] = []
            for _ in 0..<seconds {
                script.now = script.now + .seconds(1)
                found += script.on(.tick).waits
            }
            return found
        }
        #expect(reports(20) == [], "between passes nobody is waited for")
        _ = script.begins(shards: 3)
        #expect(reports(13) == [.seconds(2), .seconds(7), .seconds(12)])
        _ = script.joins(worker)
        #expect(reports(2) == [])
        _ = script.says(worker, .goodbye)
        #expect(reports(4) == [.seconds(2)])
    }

    @Test func endpointsThatReachABoundOneAreOfThisMachine() throws {
        for bound in ["tcp://127.0.0.1:5555", "tcp://[::1]:5555", "ipc:///tmp/s"] {
            #expect(OwnAddresses.endpoints(reaching: bound) == [bound])
        }
        for bound in ["tcp://[::]:5555", "tcp://0.0.0.0:5555"] {
            let found = OwnAddresses.endpoints(reaching: bound)
            #expect(!found.isEmpty && found.allSatisfy { $0.hasSuffix(":5555") && !$0.contains("::]:5555") })
            #expect(!found.contains { $0.contains("0.0.0.0") || $0.contains("*") })
        }
        // Whatever is offered is reached.
        let coordinator = try Coordinator(configuration: Toy.coordinator("tcp://*:*"))
        defer { coordinator.finish() }
        for endpoint in coordinator.endpointsForWorkers where !endpoint.contains("[") {
            #expect(Reachability.of(endpoint: endpoint) == .answers, "\(endpoint)")
        }
    }

    @Test func whyNobodyIsReached() throws {
        let listener = try Coordinator(configuration: Toy.coordinator())
        #expect(Reachability.of(endpoint: listener.boundEndpoint) == .answers)
        listener.finish()
        #expect(Reachability.of(endpoint: listener.boundEndpoint) == .refused)
        guard case .unknownHost = Reachability.of(endpoint: "tcp://no-such-host.invalid:5555") else {
            Issue.record("a name under .invalid is known")
            return
        }
        #expect(Reachability.of(endpoint: "ipc:///nowhere/s") == .failed("no such socket"))
    }
}

extension [WorkerState.Action] {
    fileprivate var probes: Bool { contains { if case .probe = $0 { true } else { false } } }

    fileprivate var waitingLines: [[String: String]] {
        compactMap { action in
            if case .log(let line) = action, line.message == "waiting for a coordinator" { line.metadata } else { nil }
        }
    }
}

extension [CoordinatorState.Action] {
    fileprivate var waits: [Duration] { compactMap { if case .tellWaiting(let waited) = $0 { waited } else { nil } } }
}
