import Cluster
import Foundation
import Passes
import Testing

/// What a lane's thread keeps from step to step.
@Suite struct SlotMemoryTests {
    private func training() throws -> SmallTraining { try SmallTraining(first: [1, 2, 3, 4]) }

    private func payload(samples: Int) throws -> Data {
        try SmallTraining.payload(
            (0..<samples).map { [Float($0) + 1, 2] }, targets: [Float](repeating: 0.5, count: samples))
    }

    private func planCount(_ memory: LaneMemory) -> Int { memory.value { SlotMemory() }.planCount }

    @Test func thePlanIsKeptFromStepToStep() throws {
        let training = try training()
        let memory = LaneMemory()
        for _ in 0..<3 {
            _ = try SmallTraining.compute(
                training.executor(isReduced: false), payload(samples: 2), shard: 0, keeping: memory)
        }
        #expect(planCount(memory) == 1)
    }

    /// Slots that samples were skipped from may be of any size.
    @Test func plansDoNotPileUpWithTheSizesOfSlots() throws {
        let training = try training()
        let executor = try training.executor(isReduced: false)
        let memory = LaneMemory()
        for samples in (1...SlotMemory.planLimit + 2).flatMap({ [8, $0] }) {
            let result = try SmallTraining.compute(executor, payload(samples: samples), shard: 0, keeping: memory)
            #expect(try result == SmallTraining.compute(executor, payload(samples: samples), shard: 0))
        }
        #expect(planCount(memory) == SlotMemory.planLimit)
    }
}
