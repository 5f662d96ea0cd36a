import Execution
import Foundation
import Graph
import Tensors
import Testing

/// Pinning holds for the life of a process, so each test pins in a process of its own.
struct InstructionSetTests {
    @Test func weakerSetsComeFirst() {
        #expect(InstructionSet.avx2 < .avx512)
        #expect(ComputeLibrary.supportedInstructionSets == ComputeLibrary.supportedInstructionSets.sorted())
        #expect(ComputeLibrary.version.hasPrefix("oneDNN "))
    }

    @Test func pinningTwiceToTheSameSet() async {
        await #expect(processExitsWith: .success) {
            guard let weakest = ComputeLibrary.supportedInstructionSets.first else { return }
            try ComputeLibrary.pin(weakest)
            try ComputeLibrary.pin(weakest)
        }
    }

    @Test func pinningToAnotherSetAfterComputing() async {
        await #expect(processExitsWith: .success) {
            let sets = ComputeLibrary.supportedInstructionSets
            guard sets.count > 1, let weakest = sets.first, let widest = sets.last else { return }
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

    @Test func missingSetIsRefused() {
        for missing in InstructionSet.allCases where !ComputeLibrary.supportedInstructionSets.contains(missing) {
            #expect(throws: ExecutionError.self) { try ComputeLibrary.pin(missing) }
        }
    }
}
