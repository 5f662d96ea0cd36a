import Foundation
import Quantization
import Support

/// What a calibration pass found in some samples. Merging is exact: it does not matter how samples are split over results
/// nor in which order results are merged.
package struct CalibrationResult: Equatable, Sendable {
    package var samples = 0
    /// Samples that could not be decoded.
    package var skipped = 0
    package var statistics = StatisticsSet()

    package mutating func merge(_ other: CalibrationResult) {
        samples += other.samples
        skipped += other.skipped
        statistics.merge(other.statistics)
    }

    package func encoded() -> Data {
        ByteWriter(counts: [samples, skipped]).data + statistics.encoded()
    }

    package init() {}

    package init(samples: Int, skipped: Int, statistics: StatisticsSet) {
        self.samples = samples
        self.skipped = skipped
        self.statistics = statistics
    }

    package init(decoding data: Data) throws(ByteCodingError) {
        var reader = ByteReader(data, record: "calibration result")
        let counts = try reader.takeCounts(2)
        self.init(samples: counts[0], skipped: counts[1], statistics: try StatisticsSet(decoding: reader.takeRest()))
    }
}
