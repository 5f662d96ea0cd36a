import Datasets
import Foundation
import Passes
import Tensors
import Testing
import TestSupport

@Suite struct SampleBatchTests {
    private func specification(
        _ dimensions: [String: [Int]], preprocessing: ImagePreprocessing? = nil, skips: Bool = false
    ) -> PassSpecification {
        PassSpecification(
            model: Data(),
            inputs: dimensions.sorted { $0.key < $1.key }.map {
                PassSpecification.Input(name: $0.key, dimensions: $0.value, preprocessing: preprocessing)
            }, output: "output", parameters: [:], tile: 1, skipsBadSamples: skips)
    }

    private func sample(_ index: Int, _ arrays: [String: Tensor], label: Int? = nil) -> Sample {
        Sample(key: "\(index)", source: "x.npz", content: .arrays(arrays), label: label)
    }

    private func error(_ samples: [Sample], _ specification: PassSpecification, classes: Int? = nil) -> DatasetError? {
        #expect(throws: DatasetError.self) { try batch(samples, specification, classes: classes) }
    }

    /// All samples of a shard, in one part.
    private func batch(
        _ samples: [Sample], _ specification: PassSpecification, classes: Int? = nil
    ) throws -> SampleBatch {
        var parts: [SampleBatch] = []
        try SampleDecoding(specification, classes: classes).batches(of: samples).forEach { parts.append($0) }
        return try #require(parts.count == 1 ? parts.first : nil)
    }

    @Test func arraysBecomeFloatsWithTheSamplesFirst() throws {
        let samples = (0..<3).map { index in
            sample(
                index,
                [
                    "a": Tensor(shape: [2], [UInt8(index), 200]), "b": Tensor(shape: [1, 1], [Float(index) + 0.5]),
                    "unused": Tensor(shape: [1], [Int64(0)]),
                ], label: 2 - index)
        }
        let batch = try batch(samples, specification(["a": [2], "b": [1, 1]]))
        let group = try #require(batch.groups.count == 1 ? batch.groups.first : nil)
        #expect(batch.count == 3 && batch.skipped == 0)
        #expect(batch.labels == [2, 1, 0])
        #expect(group.inputs.keys.sorted() == ["a", "b"])
        #expect(group.inputs["a"]?.shape == [3, 2])
        #expect(group.inputs["a"]?.elements(as: Float.self) == [0, 200, 1, 200, 2, 200])
        #expect(group.inputs["b"]?.shape == [3, 1, 1])
        #expect(group.inputs["b"]?.elements(as: Float.self) == [0.5, 1.5, 2.5])
    }

    @Test func everyElementTypeIsConverted() throws {
        let tensors = [
            Tensor(shape: [2], [Int8(-3), 7]), Tensor(shape: [2], [Int16(-3), 7]), Tensor(shape: [2], [Int32(-3), 7]),
            Tensor(shape: [2], [Int64(-3), 7]), Tensor(shape: [2], [Double(-3), 7]),
            Tensor(shape: [2], [Float(-3), 7]),
        ]
        for tensor in tensors {
            let batch = try batch([sample(0, ["a": tensor])], specification(["a": [2]]))
            #expect(batch.groups.first?.inputs["a"]?.elements(as: Float.self) == [-3, 7], "\(tensor.elementType)")
        }
    }

    @Test func partsWithoutLabelsHaveNone() throws {
        let array = ["a": Tensor(shape: [1], [Float(1)])]
        let found = try batch([sample(0, array, label: 4), sample(1, array)], specification(["a": [1]]), classes: 5)
        #expect(found.labels.isEmpty && found.count == 2)
        #expect(try batch([], specification(["a": [1]])).count == 0)
    }

    @Test func whatDoesNotFitIsNamed() {
        let array = Tensor(shape: [2, 3], [Float](repeating: 0, count: 6))
        let turned = error([sample(4, ["a": array])], specification(["a": [3, 2]]))
        #expect(turned?.code == .corruptArray && turned?.key == "4" && turned?.found == "[2, 3]")
        let absent = error([sample(4, ["b": array])], specification(["a": [3, 2]]))
        #expect(absent?.code == .missingContent && absent?.found == "b")
        for label in [-1, 5, Int.max, Int.min] {
            let range = error([sample(4, ["a": array], label: label)], specification(["a": [2, 3]]), classes: 5)
            #expect(range?.code == .labelOutOfRange && range?.found == "\(label)")
        }
        let image = Sample(key: "k", source: "s", content: .image(Data()))
        #expect(error([image], specification(["a": [2, 3]]))?.code == .missingContent)
    }

    /// Bad samples leave no trace but their number.
    @Test func badSamplesAreLeftOut() throws {
        let file = goldenFolder("Datasets").appendingPathComponent("rgb_444.jpg")
        let good = Sample(key: "good", source: "t.tar", content: .image(try Data(contentsOf: file)), label: 1)
        let cut = Sample(key: "cut", source: "t.tar", content: .image(try Data(contentsOf: file).prefix(300)), label: 0)
        let strange = Sample(key: "label", source: "t.tar", content: good.content, label: 2)
        let preprocessing = try ImagePreprocessing(height: 4, width: 5, mean: [0, 0, 0], std: [1, 1, 1])
        let skipping = specification(["x": [3, 4, 5]], preprocessing: preprocessing, skips: true)
        let clean = try batch([good, good], skipping, classes: 2)
        let samples = [cut, good, strange, cut, good, Sample(key: "", source: "", content: .image(Data()))]
        let mixed = try batch(samples, skipping, classes: 2)
        #expect(mixed.count == 2 && mixed.skipped == 4)
        #expect(mixed.labels == [1, 1])
        let (own, expected) = (mixed.groups.first?.inputs["x"], clean.groups.first?.inputs["x"])
        #expect(own?.shape == [2, 3, 4, 5] && mixed.groups.count == 1)
        #expect(own == expected)
        #expect(try batch([cut], skipping, classes: 2).groups.isEmpty)
        let stopping = specification(["x": [3, 4, 5]], preprocessing: preprocessing)
        #expect(error([good, cut], stopping)?.key == "cut")
    }

    @Test func specificationsCode() throws {
        let preprocessing = try ImagePreprocessing(height: 4, width: 5, mean: [0, 0.5, 0], std: [1, 2, 1])
        let original = specification(["x": [3, 4, 5]], preprocessing: preprocessing, skips: true)
        let workload = Calibration(original, observed: ["a", "b"])
        #expect(try Calibration(decoding: workload.encoded()) == workload)
        // Two workloads of the same form are not taken for each other.
        #expect(throws: DecodingError.self) { try Evaluation(decoding: workload.encoded()) }
        let step = StateTransfer(of: Data([1, 2, 3]))
        #expect(try StateTransfer(decoding: step.encoded()) == step)
        #expect(try step.digest() != workload.digest())
        #expect(try workload.encoded() == workload.encoded())
    }
}
