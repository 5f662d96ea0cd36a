import Foundation
import Passes
import Quantization
import Support
import Tensors
import Testing

@Suite struct EvaluationResultTests {
    /// What counting one prediction does, as (top-1, top-5).
    private func count(_ scores: [Float], label: Int) -> [Int] {
        var result = EvaluationResult()
        scores.withUnsafeBufferPointer { result.count(scores: $0, label: label) }
        #expect(result.labelled == 1)
        return [result.top1, result.top5]
    }

    @Test(
        arguments: [
            // The likeliest, the fifth and the sixth.
            ([0, 1, 2, 3, 4, 5, 6], 6, [1, 1]), ([0, 1, 2, 3, 4, 5, 6], 2, [0, 1]),
            ([0, 1, 2, 3, 4, 5, 6], 1, [0, 0]),
            // Of equal scores the lower class comes first, as argmax has it.
            ([7, 7, 7, 7, 7, 7, 7], 0, [1, 1]), ([7, 7, 7, 7, 7, 7, 7], 1, [0, 1]),
            ([7, 7, 7, 7, 7, 7, 7], 4, [0, 1]),
            ([7, 7, 7, 7, 7, 7, 7], 5, [0, 0]), ([-0.0, 0.0], 1, [0, 1]), ([-0.0, 0.0], 0, [1, 1]),
            ([-.infinity, 0, .infinity], 2, [1, 1]), ([.infinity, .infinity], 1, [0, 1]), ([3], 0, [1, 1]),
        ] as [([Float], Int, [Int])])
    func ranksAndTies(_ scores: [Float], _ label: Int, _ expected: [Int]) {
        #expect(count(scores, label: label) == expected)
    }

    /// A network that computes NaN for all classes is right about the first class only.
    @Test(
        arguments: [
            ([.nan, .nan, .nan, .nan, .nan, .nan], 0, [1, 1]), ([.nan, .nan, .nan, .nan, .nan, .nan], 5, [0, 0]),
            ([.nan, 1, 2], 0, [0, 1]), ([.nan, -.infinity, .nan], 1, [1, 1]), ([.nan, 5, 1], 1, [1, 1]),
            ([1, 2, 3, 4, 5, .nan], 5, [0, 0]),
        ] as [([Float], Int, [Int])])
    func notANumberComesLast(_ scores: [Float], _ label: Int, _ expected: [Int]) {
        #expect(count(scores, label: label) == expected)
    }

    /// Against sorting, for random scores with many ties and NaNs.
    @Test func agreesWithSorting() {
        var random = CounterRandom(key: 3, 0)
        for _ in 0..<300 {
            let scores = (0..<8).map { _ -> Float in
                let draw = random.next() >> 60
                return draw == 0 ? .nan : Float(draw % 5)
            }
            let order = scores.indices.sorted { a, b in
                let (x, y) = (scores[a].isNaN ? -Float.infinity : scores[a], scores[b].isNaN ? -.infinity : scores[b])
                return x == y ? a < b : x > y
            }
            for label in scores.indices {
                let rank = order.firstIndex(of: label) ?? 0
                #expect(
                    count(scores, label: label) == [rank == 0 ? 1 : 0, rank < 5 ? 1 : 0], "\(scores) \(label)")
            }
        }
    }

    @Test func accuracyNeedsALabelForEverySample() {
        var result = EvaluationResult()
        #expect(!result.isLabelled)
        result.samples = 2
        result.labelled = 1
        #expect(!result.isLabelled)
        result.labelled = 2
        #expect(result.isLabelled)
    }

    @Test func codingAndMerging() throws {
        var first = EvaluationResult()
        (first.samples, first.skipped, first.labelled, first.top1, first.top5) = (10, 1, 9, 4, 8)
        var second = first
        second.top1 = 5
        #expect(try EvaluationResult(decoding: first.encoded()) == first)
        var (sum, reverse) = (first, second)
        sum.merge(second)
        reverse.merge(first)
        #expect(sum == reverse)
        #expect(sum.samples == 20 && sum.skipped == 2 && sum.labelled == 18 && sum.top1 == 9 && sum.top5 == 16)
        let bytes = first.encoded()
        for bad in [Data(), bytes.dropLast(), bytes + [0], Data(repeating: 0xFF, count: bytes.count)] {
            #expect(throws: ByteCodingError.self) { try EvaluationResult(decoding: bad) }
        }
    }
}

@Suite struct CalibrationResultTests {
    private func result(_ samples: Int, _ values: [Float]) -> CalibrationResult {
        let observer = Observer()
        values.withUnsafeBufferPointer { elements in
            if let start = elements.baseAddress { observer.observe(start, count: elements.count) }
        }
        return CalibrationResult(
            samples: samples, skipped: 1, statistics: StatisticsSet(["value": observer.statistics()]))
    }

    @Test func coding() throws {
        for result in [CalibrationResult(), result(3, [-1, 0, 0.25, 1e9]), result(1, [.nan, .infinity])] {
            let bytes = result.encoded()
            let decoded = try CalibrationResult(decoding: bytes)
            #expect(decoded == result)
            #expect(decoded.encoded() == bytes)
            for bad in [bytes.dropLast(), bytes.prefix(15), bytes + [0]] {
                #expect(throws: ByteCodingError.self) { try CalibrationResult(decoding: bad) }
            }
        }
    }

    /// Whatever the order, equal bytes.
    @Test func merging() {
        let parts = [result(2, [1, 2, 3]), result(3, [-4e6, 0]), result(1, [0.001, .nan])]
        var merged: Set<Data> = []
        for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
            var sum = CalibrationResult()
            for index in order { sum.merge(parts[index]) }
            #expect(sum.samples == 6 && sum.skipped == 3)
            merged.insert(sum.encoded())
        }
        var whole = result(6, [1, 2, 3, -4e6, 0, 0.001, .nan])
        whole.skipped = 3
        #expect(merged == Set([whole.encoded()]))
    }
}
