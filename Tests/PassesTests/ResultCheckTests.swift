import Cluster
import Foundation
import Passes
import Quantization
import Support
import Testing

/// What a worker sends in place of a result is refused as its own fault, and nothing of it is merged.
@Suite struct ResultCheckTests {
    private func reason(_ reducer: inout some ResultReducer, samples: Int, _ data: Data) throws -> String? {
        let before = try reducer.state()
        do {
            try reducer.merge(shard: 0, samples: samples, result: data)
            return nil
        } catch let error as UnusableResult {
            #expect(try reducer.state() == before)
            return error.reason
        }
    }

    @Test func calibration() throws {
        var reducer = MergingReducer<CalibrationResult>()
        let sound = CalibrationResult(samples: 3, skipped: 1, statistics: StatisticsSet())
        #expect(try reason(&reducer, samples: 4, sound.encoded()) == nil)
        #expect(try reason(&reducer, samples: 3, sound.encoded()) == "it counts 4 samples, its shard has 3")
        let contradicts = "its counts contradict each other"
        // Sums of these have overflowed and trapped.
        for (samples, skipped) in [(Int.max, 0), (Int.max, Int.max), (1 << 62, 1 << 62)] {
            let result = CalibrationResult(samples: samples, skipped: skipped, statistics: StatisticsSet())
            #expect(try reason(&reducer, samples: 4, result.encoded()) == contradicts)
        }
        // As often as a set's encoding can say: 2^56 elements, all zero.
        var writer = ByteWriter()
        writer.append(Array("QSST".utf8) + [1, 1, 1] + Array("x".utf8))
        for count: UInt64 in [1 << 56, 1 << 56, 0, 0, 0] { writer.appendVarint(count) }
        let many = CalibrationResult(samples: 4, skipped: 0, statistics: try StatisticsSet(decoding: writer.data))
        #expect(try reason(&reducer, samples: 4, many.encoded()) == contradicts)
        for garbage in [Data(), Data([1, 2, 3]), Data(repeating: 255, count: 100), sound.encoded().dropLast()] {
            let found = try reason(&reducer, samples: 4, garbage)
            #expect(found?.hasPrefix("it cannot be decoded: ") == true, "\(String(describing: found))")
        }
        #expect(try CalibrationResult(decoding: reducer.state()) == sound)
    }

    @Test(arguments: [
        [4, 0, 5, 0, 0, 0], [4, 0, 4, 5, 5, 0], [4, 0, 4, 3, 2, 0], [4, 0, 4, 2, 3, 5], [Int.max, 0, 0, 0, 0, 0],
        [0, 1 << 60, 0, 0, 0, 0],
    ]) func evaluation(counts: [Int]) throws {
        var reducer = MergingReducer<EvaluationResult>()
        func bytes(_ counts: [Int], names: [String] = []) -> Data {
            var (writer, bad) = (ByteWriter(counts: counts), BadSampleNames())
            for name in names { bad.add(key: name, fault: "") }
            bad.append(to: &writer)
            return writer.data
        }
        let contradiction = "its counts contradict each other"
        #expect(try reason(&reducer, samples: 4, bytes(counts)) == contradiction)
        #expect(try reason(&reducer, samples: 5, bytes([4, 1, 4, 2, 3, 0], names: ["a", "b"])) == contradiction)
        #expect(try reason(&reducer, samples: 5, bytes([4, 1, 4, 2, 3, 0], names: ["a"])) == nil)
    }

    @Test func analysis() throws {
        var reducer = MergingReducer<AnalysisResult>()
        var result = AnalysisResult()
        var variant = AnalysisResult.Variant()
        variant.counts.samples = 4
        result.variants[0] = variant
        #expect(try reason(&reducer, samples: 8, result.encoded()) == "it counts 4 samples, its shard has 8")
        #expect(try reason(&reducer, samples: 4, result.encoded()) == nil)
        result.variants[1] = variant
        result.variants[1]?.counts.labelled = -1
        #expect(try reason(&reducer, samples: 8, result.encoded()) == "its counts contradict each other")
        let noise =
            #"{"count":-9223372036854775808,"left_out":0,"signal":{"first":0,"words":[]},"error":{"first":0,"words":[]}}"#
        let text = #"{"layers":{"a":\#(noise)},"variants":{}}"#
        #expect(try reason(&reducer, samples: 0, Data(text.utf8))?.isEmpty == false)
    }

    @Test func slots() throws {
        let layout = try SlotTests().layout()
        var reducer = SlotReducer(step: 0, layout: layout)
        var slot = SlotResult(
            samples: 2, skipped: 1, labelled: 2, correct: 1,
            lossAndGradient: [Float](repeating: 1, count: layout.count + 1))
        #expect(try reason(&reducer, samples: 3, slot.encoded()) == nil)
        #expect(try reason(&reducer, samples: 2, slot.encoded()) == "it counts 3 samples, its shard has 2")
        #expect(try reason(&reducer, samples: 3, slot.encoded().dropLast(4))?.hasPrefix("it cannot be decoded") == true)
        slot.samples = .max
        #expect(try reason(&reducer, samples: 3, slot.encoded()) == "its counts contradict each other")
    }

    @Test func batchNormStatistics() throws {
        var reducer = NormalizationReducer(count: 2)
        let batch = try NormalizationResult(samples: 3, skipped: 0, statistics: [1, 2])
        #expect(try reason(&reducer, samples: 3, batch.encoded()) == nil)
        #expect(try reason(&reducer, samples: 4, batch.encoded()) == "it counts 3 samples, its shard has 4")
        var twice = batch
        try twice.merge(batch)
        #expect(try reason(&reducer, samples: 6, twice.encoded()) == "its counts contradict each other")
        #expect(try reason(&reducer, samples: 3, Data(count: 9))?.hasPrefix("it cannot be decoded") == true)
    }
}
