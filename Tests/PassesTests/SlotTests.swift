import App
import Datasets
import Foundation
import Passes
import Quantization
import Support
import Tensors
import Testing
import TestSupport
import Training

@Suite struct SlotTests {
    private static let layout = [("first", Shape([3])), ("second", Shape([2, 2]))]

    func layout() throws -> ParameterLayout {
        try ParameterLayout(Self.layout.map { (name: $0.0, shape: $0.1) })
    }

    private func slots(_ count: Int, parameters: Int = 7) -> [SlotResult] {
        var random = CounterRandom(key: 5, 0)
        return (0..<count).map { slot in
            SlotResult(
                samples: slot + 1, skipped: slot % 2, labelled: slot + 1, correct: slot,
                lossAndGradient: (0...parameters).map { _ in
                    // Magnitudes far apart, so that a sum of floats would depend on the order.
                    let exponent = Int(random.next() % 40) - 20
                    return Float(sign: random.next() >> 63 == 1 ? .minus : .plus, exponent: exponent, significand: 1.37)
                })
        }
    }

    @Test func payloadsAreReadAsWritten() throws {
        let samples = [
            Sample(key: "a", source: "x.tar", content: .image(Data([1, 2, 3])), label: 3),
            Sample(key: "b", source: "x.tar", content: .image(Data())),
        ]
        let payload = SlotPayload(indices: [7, 1 << 40], samples: samples)
        #expect(try SlotPayload(decoding: payload.encoded()) == payload)
        let empty = SlotPayload(indices: [], samples: [])
        #expect(try SlotPayload(decoding: empty.encoded()) == empty)
    }

    /// No weight lies before the input, and its range has a gradient all the same. With W = [[1, 0], [0, 1]] and v = [1, 1] that of
    /// the one sample's x is 2 (x1 + x2) each; min is 0, so its slope is that of delta alone.
    @Test func theRangeOfTheInputHasAGradient() throws {
        let range = Encoding.fromRange(min: 0, max: 1, bitwidth: 2, symmetric: false)
        let training = try SmallTraining(
            first: [1, 0, 0, 1],
            learned: [.init(name: "x", tensors: ["x"], start: TensorEncodings(range), isLearned: true)])
        let data = try SmallTraining.compute(
            training.executor(isReduced: false), SmallTraining.payload([[0.6, 0.9], [0.1, 0.2]]), shard: 0)
        let gradient = try SlotResult(decoding: data, parameterCount: 8).lossAndGradient.dropFirst()
        // On the grid of thirds: [2/3, 1] and [0, 1/3]; in thirds x is [1.8, 2.7] and [0.3, 0.6]; no gradient passes the ReLU
        // at 0.
        let upstream = [2.0 * (5.0 / 3), 2.0 * (1.0 / 3)]
        let errors = [(2 - 1.8) + (3 - 2.7), 1 - 0.6]
        let ofDelta = zip(upstream, errors).reduce(0) { $0 + $1.0 * $1.1 } / 2
        let slopes = gradient.suffix(2).map(Double.init)
        #expect(abs(slopes[0] + ofDelta / 3) < 1e-6 && abs(slopes[1] - ofDelta / 3) < 1e-6, "\(slopes), \(ofDelta)")
    }

    /// Whatever is cut off or claimed too many: an error, never a trap.
    @Test func spoiltPayloadsAreRefused() throws {
        let payload = SlotPayload(
            indices: [1], samples: [Sample(key: "a", source: "s", content: .image(Data([9])))]
        ).encoded()
        for length in 0..<payload.count {
            #expect(throws: DatasetError.self) { try SlotPayload(decoding: payload.prefix(length)) }
        }
        for count: Int in [-1, 2, .max, .min] {
            var spoilt = payload
            withUnsafeBytes(of: count.littleEndian) { spoilt.replaceSubrange(0..<8, with: $0) }
            #expect(throws: DatasetError.self, "\(count)") { try SlotPayload(decoding: spoilt) }
        }
    }

    @Test func resultsAreReadAsWritten() throws {
        let slot = slots(1)[0]
        #expect(try SlotResult(decoding: slot.encoded(), parameterCount: 7) == slot)
        for count in [6, 8] {
            #expect(throws: ByteCodingError.self) { try SlotResult(decoding: slot.encoded(), parameterCount: count) }
        }
    }

    /// Slots in any order, also with the sum written and read in between, give the same bytes.
    @Test func sumsDoNotDependOnTheOrder() throws {
        let slots = slots(16)
        func sum(_ slots: [SlotResult]) throws -> SlotSum {
            var sum = SlotSum(parameterCount: 7)
            for slot in slots {
                try sum.add(slot)
                sum = try SlotSum(decoding: sum.encoded(), parameterCount: 7)
            }
            return sum
        }
        let expected = try sum(slots)
        #expect(expected.samples == 136)
        #expect(expected.skipped == 8)
        #expect(expected.labelled == 136)
        #expect(expected.correct == 120)
        var random = CounterRandom(key: 6, 0)
        for _ in 0..<20 {
            let found = try sum(slots.map { (random.next(), $0) }.sorted { $0.0 < $1.0 }.map(\.1))
            #expect(found.encoded() == expected.encoded())
            #expect(found.lossAndGradient.gradient == expected.lossAndGradient.gradient)
        }
        let exact = slots.reduce(0) { $0 + Double($1.lossAndGradient[3]) }
        #expect(abs(Double(expected.lossAndGradient.gradient[2]) - exact) <= 1e-6 * abs(exact))
    }

    /// The reducer names the step, the slot and the first tensor that is not finite; the loss comes before all.
    @Test func whatIsNotFiniteIsNamed() throws {
        for (place, key, index) in [(0, "loss", Int?.none), (3, "first", 2), (5, "second", 1)] {
            var reducer = SlotReducer(step: 12, layout: try layout())
            try reducer.merge(
                shard: 0, samples: slots(1)[0].samples + slots(1)[0].skipped, result: slots(1)[0].encoded())
            var slot = slots(1)[0]
            slot.lossAndGradient[place] = .nan
            slot.lossAndGradient[7] = .infinity
            var expected = TrainingError(.notFinite, key: key, index: index, found: "nan")
            (expected.step, expected.slot) = (12, 4)
            #expect(throws: expected) {
                try reducer.merge(shard: 4, samples: slot.samples + slot.skipped, result: slot.encoded())
            }
            let sentence = Failure(expected).sentence
            #expect(sentence.contains("step 12, slot 4"), "\(sentence)")
            #expect(key == "loss" || sentence.contains("tensor \"\(key)\""), "\(sentence)")
            #expect(Failure(expected).exitReason == .permanent)
        }
    }

    /// Every slot holds the samples that the epoch's order has at its positions; an epoch shows no sample twice.
    @Test func slotsFollowTheEpochsOrder() throws {
        let scratch = try ScratchFolder()
        let rows = Tensor(shape: [50, 1], (0..<50).map { Float($0) })
        let labels = Tensor(shape: [50], (0..<50).map { Int64($0) })
        try NPZ.write([("x", rows), ("labels", labels)], to: scratch.url.appendingPathComponent("data.npz"))
        let index = try SampleIndex(DatasetSource(path: "data.npz", relativeTo: scratch.url, limit: nil))
        let composer = try BatchComposer(sampleCount: 50, globalBatch: 12, slots: 3)
        var epochs: [[Int]] = [[], []]
        for step in 0..<8 {
            var shards = SlotShards(index, composer: composer, step: step, seed: 9, skipsBadSamples: false)
            let order = EpochOrder(seed: 9, epoch: step / 4, count: 50)
            for slot in 0..<3 {
                let shard = try #require(try shards.next())
                let payload = try SlotPayload(decoding: shard.payload)
                let start = step % 4 * 12 + slot * 4
                #expect(shard.index == slot)
                #expect(shard.sampleCount == 4)
                #expect(payload.indices == (start..<start + 4).map { order[$0] })
                #expect(payload.samples.map(\.label) == payload.indices)
                epochs[step / 4] += payload.indices
            }
            #expect(try shards.next() == nil)
        }
        #expect(Set(epochs[0]).count == 48)
        #expect(Set(epochs[1]).count == 48)
        #expect(epochs[0] != epochs[1])
    }
}
