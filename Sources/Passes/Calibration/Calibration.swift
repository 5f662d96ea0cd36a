import Cluster
import Datasets
import Foundation
import Quantization
import Support

/// Observes activations in FP32 while parameters are quantized: what encodings of activations are computed from.
package struct Calibration: SampleWorkload {
    package typealias Result = CalibrationResult
    /// As in descriptors.
    package static let name = "calibration"

    /// Its parameters are rounded before the samples run.
    package var pass: PassSpecification
    /// Names of the values whose statistics are taken.
    package var observed: [String]

    package init(_ pass: PassSpecification, observed: [String]) {
        self.pass = pass
        self.observed = observed
    }

    /// The model with its parameters rounded and its activations left alone.
    package func makeExecutor(_ worker: WorkerContext) throws -> any ShardExecutor {
        CalibrationExecutor(self, SharedModel(try worker.graph(pass.model).simulatingParameters(pass.parameters)))
    }
}

/// What a calibration found in some samples. Merging is exact: it does not matter how samples are split over results nor in which
/// order results are merged.
package struct CalibrationResult: Equatable, MergeableResult {
    /// Without those that could not be decoded.
    package var samples = 0
    /// Samples that could not be decoded.
    package var skipped = 0
    /// Of some of these.
    package var badNames = BadSampleNames()
    /// By name of the value.
    package var statistics = StatisticsSet()
    /// Samples by their label, where they have one.
    package var classes: [Int: Int] = [:]

    /// Of no samples.
    package init() {}

    package init(
        samples: Int, skipped: Int, badNames: BadSampleNames = BadSampleNames(), statistics: StatisticsSet,
        labels: [Int] = []
    ) {
        self.samples = samples
        self.skipped = skipped
        self.badNames = badNames
        self.statistics = statistics
        // Calibration does not care whether a label is a class.
        for label in labels where label >= 0 { classes[label, default: 0] += 1 }
    }

    package var sampleCount: Int { samples &+ skipped }

    package var isSound: Bool {
        [samples, skipped].areSoundCounts && Array(classes.values).areSoundCounts
            && classes.values.reduce(0, +) <= samples && statistics.isAddable
            && badNames.areSound(of: skipped)
    }

    /// Adds what was found in other samples.
    package mutating func merge(_ other: CalibrationResult) {
        samples += other.samples
        skipped += other.skipped
        badNames.merge(other.badNames)
        statistics.merge(other.statistics)
        classes.merge(other.classes, uniquingKeysWith: +)
    }

    /// Equal results are equal bytes.
    package func encoded() -> Data {
        let labels = classes.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
        var writer = ByteWriter(counts: [samples, skipped, classes.count] + labels)
        badNames.append(to: &writer)
        return writer.data + statistics.encoded()
    }

    /// - Throws: `ByteCodingError` where the bytes are not what `encoded` gives.
    package init(decoding data: Data) throws(ByteCodingError) {
        var reader = ByteReader(data, record: "calibration result")
        let counts = try reader.takeCounts(3)
        guard counts[2] <= 1 << 40 else { throw reader.error(.malformed, expected: "classes", found: "\(counts[2])") }
        let labels = try reader.takeCounts(2 * counts[2])
        let badNames = try BadSampleNames(from: &reader)
        self.init(
            samples: counts[0], skipped: counts[1], badNames: badNames,
            statistics: try StatisticsSet(decoding: reader.takeRest()))
        for place in 0..<counts[2] { classes[labels[2 * place]] = labels[2 * place + 1] }
    }
}

private struct CalibrationExecutor: ShardExecutor {
    private let task: Calibration
    private let model: SharedModel
    private let tiles: SampleTiles

    init(_ task: Calibration, _ model: SharedModel) {
        (self.task, self.model) = (task, model)
        tiles = SampleTiles(model.graph, task.pass)
    }

    func prepare(shard: Int, payload: Data) throws -> SampleBatches {
        try SampleDecoding(task.pass).batches(of: ShardPayload(decoding: payload).samples)
    }

    func makeLane(keeping memory: LaneMemory) throws -> CalibrationLane { CalibrationLane(task, model, tiles) }
}

/// Observes the activations of one shard at a time. Belongs to one thread.
private final class CalibrationLane: ShardLane {
    private let lane: ModelLane
    private let tiles: SampleTiles
    private let observers: [String: Observer]

    init(_ task: Calibration, _ model: SharedModel, _ tiles: SampleTiles) {
        lane = ModelLane(model, taps: Set(task.observed))
        self.tiles = tiles
        observers = Dictionary(uniqueKeysWithValues: task.observed.map { ($0, Observer()) })
    }

    func compute(_ samples: SampleBatches) throws -> Data {
        for observer in observers.values { observer.reset() }
        var (count, skipped, badNames, labels) = (0, 0, BadSampleNames(), [Int]())
        try samples.forEach { batch in
            for group in batch.groups {
                try lane.run(
                    group, tiles: tiles.tiles(of: group),
                    tap: { [observers] tap in
                        guard let start = tap.elements.baseAddress else { return }
                        observers[tap.name]?.observe(start, count: tap.elements.count, layoutZeros: tap.layoutZeros)
                    })
            }
            count += batch.count
            skipped += batch.skipped
            badNames.merge(batch.badNames)
            labels += batch.labels
        }
        return CalibrationResult(
            samples: count, skipped: skipped, badNames: badNames,
            statistics: StatisticsSet(observers.mapValues { $0.statistics() }), labels: labels
        ).encoded()
    }
}
