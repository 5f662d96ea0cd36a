import Execution
import Foundation
import Graph
import Nodes
import Operators
import Support
import Tensors
import Testing

/// Pinning holds for the life of a process, so each test pins in a process of its own.
struct InstructionSetTests {
    private static let sets = ComputeLibrary.supportedInstructionSets

    @Test func weakerSetsComeFirst() {
        #expect(Self.sets == Self.sets.sorted())
        #expect(!Self.sets.contains(.scalar))
        #expect(Self.sets.allSatisfy { $0 <= .best })
        #expect(ComputeLibrary.version.hasPrefix("oneDNN "))
    }

    @Test(.enabled(if: !sets.isEmpty, "this machine has less than AVX2"))
    func pinningTwiceToTheSameSet() async {
        await #expect(processExitsWith: .success) {
            let weakest = try #require(ComputeLibrary.supportedInstructionSets.first)
            try ComputeLibrary.pin(weakest)
            try ComputeLibrary.pin(weakest)
        }
    }

    @Test(.enabled(if: sets.count > 1, "this machine can be pinned to one instruction set at most"))
    func kernelsKeepToTheSameSet() async {
        await #expect(processExitsWith: .success) {
            let weakest = try #require(ComputeLibrary.supportedInstructionSets.first)
            guard InstructionSet.pinned == .best else { exit(1) }
            try ComputeLibrary.pin(weakest)
            exit(InstructionSet.pinned == weakest ? 0 : 2)
        }
    }

    @Test(.enabled(if: sets.count > 1, "this machine can be pinned to one instruction set at most"))
    func pinningToAnotherSetThanTheKernels() async {
        await #expect(processExitsWith: .success) {
            let sets = ComputeLibrary.supportedInstructionSets
            let (weakest, widest) = (try #require(sets.first), try #require(sets.last))
            _ = InstructionSet.pin(weakest)
            do {
                try ComputeLibrary.pin(widest)
                exit(1)
            } catch let error as ExecutionError {
                exit(error.code == .library && error.found == weakest.rawValue ? 0 : 2)
            }
        }
    }

    @Test(.enabled(if: sets.count > 1, "this machine can be pinned to one instruction set at most"))
    func pinningToAnotherSetAfterComputing() async {
        await #expect(processExitsWith: .success) {
            let sets = ComputeLibrary.supportedInstructionSets
            let (weakest, widest) = (try #require(sets.first), try #require(sets.last))
            try ComputeLibrary.pin(widest)
            let graph = Graph(
                name: "relu", inputs: [.init(name: "x", elementType: .float32, dimensions: nil)],
                outputs: [.init(name: "y", elementType: .float32, dimensions: nil)],
                nodes: [Node(name: "relu", opType: "Relu", inputs: ["x"], outputs: ["y"])], constants: [:],
                opsetVersion: 17)
            let plan = try Plan(try graph.specialized(inputShapes: ["x": [4]]), weights: WeightStore())
            try plan.run(feed: { _, place in place.update(repeating: 1) })
            do {
                try ComputeLibrary.pin(weakest)
                exit(1)
            } catch let error as ExecutionError {
                exit(error.code == .library && error.expected == weakest.rawValue ? 0 : 2)
            }
        }
    }

    /// The scalar one among them: oneDNN has no such setting.
    @Test(arguments: InstructionSet.allCases.filter { !sets.contains($0) })
    func missingSetIsRefused(_ missing: InstructionSet) {
        #expect {
            try ComputeLibrary.pin(missing)
        } throws: {
            ($0 as? ExecutionError)?.code == .missingInstructionSet
        }
    }
}
