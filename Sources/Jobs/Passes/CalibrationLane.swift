import Cluster
import Execution
import Foundation
import Quantization

/// Observes the activations of shards, one shard at a time. Belongs to one thread.
final class CalibrationLane: ShardLane {
    private let lane: ModelLane
    private let tile: Int
    private let observers: [String: Observer]

    init(_ model: SharedModel, observed: [String], tile: Int) {
        lane = ModelLane(model, taps: Set(observed))
        self.tile = tile
        observers = Dictionary(uniqueKeysWithValues: observed.map { ($0, Observer()) })
    }

    func compute(_ batch: SampleBatch) throws -> Data {
        try reportingFailure { try observe(batch) }
    }

    private func observe(_ batch: SampleBatch) throws -> Data {
        for observer in observers.values { observer.reset() }
        try lane.run(
            batch.inputs, count: batch.count, tile: tile,
            tap: { [observers] tap in
                guard let start = tap.elements.baseAddress else { return }
                observers[tap.name]?.observe(start, count: tap.elements.count, layoutZeros: tap.layoutZeros)
            })
        return CalibrationResult(
            samples: batch.count, skipped: batch.skipped,
            statistics: StatisticsSet(observers.mapValues { $0.statistics() })
        ).encoded()
    }
}
