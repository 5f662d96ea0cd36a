import Execution
import Foundation
import Graph
import Tensors
import Testing

/// Random networks against the interpreter: as compiled for speed (operators fused, memory shared, layouts blocked), and
/// with every value tapped. Each failure names the seed; `RandomGraph(seed:)` draws the same network again.
struct RandomGraphTests {
    static let seeds: Range<UInt64> = 0..<60

    @Test(arguments: seeds)
    func fusedPlanAgreesWithInterpreter(_ seed: UInt64) throws {
        report(try RandomGraphCheck(seed: seed).fusedPlan())
    }

    @Test(arguments: seeds)
    func tapsSeeWhatTheInterpreterComputes(_ seed: UInt64) throws {
        report(try RandomGraphCheck(seed: seed).taps())
    }

    @Test(arguments: seeds)
    func changesOfTapsReachEveryUser(_ seed: UInt64) throws {
        report(try RandomGraphCheck(seed: seed).changesOfTaps())
    }

    /// The tests above compute with the widest instructions of this machine; other machines, and jobs that are pinned to
    /// less, have other layouts. An instruction set is pinned for the life of a process.
    @Test(
        .enabled(
            if: !ComputeLibrary.supportedInstructionSets.isEmpty, "this machine has less than AVX2"))
    func weakestInstructionsAgreeWithInterpreter() async {
        await #expect(processExitsWith: .success) {
            let weakest = try #require(ComputeLibrary.supportedInstructionSets.first)
            try ComputeLibrary.pin(weakest)
            var disagreements: [String] = []
            for seed in UInt64(0)..<400 {
                let check = try RandomGraphCheck(seed: seed)
                disagreements += try check.fusedPlan() + check.taps() + check.changesOfTaps()
            }
            for disagreement in disagreements { print(weakest.rawValue, disagreement) }
            exit(disagreements.isEmpty ? 0 : 1)
        }
    }

    private func report(_ disagreements: [String]) {
        for disagreement in disagreements { Issue.record("\(disagreement)") }
    }
}

extension SpecializedGraph {
    /// Everything that changes with the inputs.
    var variables: Set<String> {
        Set(inputs + steps.flatMap(\.node.outputs).filter { !$0.isEmpty })
    }

    /// How the value is made, for messages.
    func description(of value: String) -> String {
        guard let node = steps.map(\.node).first(where: { $0.outputs.contains(value) }) else { return value }
        let inputs = node.inputs.map { "\($0) \(types[$0].map { "\($0.shape)" } ?? "")" }.joined(separator: ", ")
        return "\(node.outputs.joined(separator: ", ")) = \(node.opType)(\(inputs))"
    }
}

extension Plan {
    /// Computes the graph for whole inputs.
    func run(_ inputs: [String: Tensor], tap: (Tap) throws -> Void = { _ in }) throws {
        try run(
            feed: { name, place in
                let elements = try #require(inputs[name]).elements(as: Float.self)
                #expect(elements.count == place.count)
                _ = place.update(fromContentsOf: elements)
            }, tap: tap)
    }
}
