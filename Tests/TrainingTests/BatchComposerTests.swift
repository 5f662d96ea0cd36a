import Tensors
import Testing
import Training

@Suite struct BatchComposerTests {
    @Test func `an epoch's slots take each position at most once, in order`() throws {
        var random = CounterRandom(key: 78)
        for seed in 0..<200 {
            let slots = Int(random.next() % 16) + 1
            let globalBatch = slots * (Int(random.next() % 8) + 1)
            let samples = globalBatch + Int(random.next() % 500)
            let composer = try BatchComposer(sampleCount: samples, globalBatch: globalBatch, slots: slots)
            for epoch in 0..<3 {
                var positions: [Int] = []
                for step in epoch * composer.stepsPerEpoch..<(epoch + 1) * composer.stepsPerEpoch {
                    #expect(composer.epoch(ofStep: step) == epoch)
                    for slot in 0..<slots {
                        let range = composer.positions(step: step, slot: slot)
                        #expect(range.count == composer.microBatch)
                        positions += range
                    }
                }
                #expect(positions == Array(0..<samples - composer.droppedPerEpoch), "\(seed)")
            }
            #expect(composer.droppedPerEpoch < globalBatch)
        }
    }

    @Test func `what cannot be composed is refused`() {
        for (samples, batch, slots, key) in [
            (100, 10, 3, "slots"), (100, 10, 0, "slots"), (100, 10, 11, "slots"), (9, 10, 5, "global_batch"),
            (0, 1, 1, "global_batch"),
        ] {
            let error = #expect(throws: TrainingError.self) {
                try BatchComposer(sampleCount: samples, globalBatch: batch, slots: slots)
            }
            #expect(error?.key == key)
        }
    }
}

@Suite struct ParameterLayoutTests {
    @Test func `elements are found in their tensors`() throws {
        let layout = try ParameterLayout([("b", [2, 3]), ("none", [0]), ("a", []), ("c", [4])])
        #expect(layout.count == 11)
        #expect(layout.range(of: "c") == 7..<11)
        #expect(layout.range(of: "d") == nil)
        #expect(layout.place(of: 5).map { "\($0)" } == "(name: \"b\", index: 5)")
        #expect(layout.place(of: 6).map { "\($0)" } == "(name: \"a\", index: 0)")
        #expect(layout.place(of: 10).map { "\($0)" } == "(name: \"c\", index: 3)")
        #expect(layout.place(of: 11) == nil && layout.place(of: -1) == nil)
        let vector = (0..<11).map(Float.init)
        let tensors = Dictionary(uniqueKeysWithValues: layout.tensors(of: vector).map { ($0.name, $0.tensor) })
        #expect(try layout.vector(of: tensors) == vector)
        let located = TrainingError(.notFinite, index: 8).located(in: layout)
        #expect(located == TrainingError(.notFinite, key: "c", index: 1))
    }

    @Test func `tensors that do not fit are refused`() throws {
        #expect(throws: TrainingError.self) { try ParameterLayout([("a", [1]), ("a", [2])]) }
        let layout = try ParameterLayout([("a", [2])])
        for tensors in [
            [:], ["a": Tensor(shape: [3], [1, 2, 3] as [Float])], ["a": Tensor(shape: [2], [1, 2] as [Double])],
        ] {
            #expect(throws: TrainingError.self) { try layout.vector(of: tensors) }
        }
    }
}
