import Foundation
import Support

/// How often a model was right.
package struct EvaluationResult: Codable, Equatable, MergeableResult {
    package var samples = 0
    /// Samples that could not be decoded.
    package var skipped = 0
    /// Samples that had a label.
    package var labelled = 0
    /// Labelled samples whose class was the likeliest, or among the five likeliest.
    package var top1 = 0
    package var top5 = 0

    package mutating func merge(_ other: EvaluationResult) {
        samples += other.samples
        skipped += other.skipped
        labelled += other.labelled
        top1 += other.top1
        top5 += other.top5
    }

    /// Whether accuracy means anything: every sample had a label.
    package var isLabelled: Bool { samples > 0 && labelled == samples }

    /// Nil where samples lack labels.
    package var top1Percent: Double? { isLabelled ? 100 * Double(top1) / Double(samples) : nil }
    package var top5Percent: Double? { isLabelled ? 100 * Double(top5) / Double(samples) : nil }

    /// Counts one prediction.
    /// - Parameter scores: one per class. Of equal scores the lower class comes first; NaN comes last.
    package mutating func count(scores: UnsafeBufferPointer<Float>, label: Int) {
        let own = scores[label]
        var better = 0
        for (index, score) in scores.enumerated() where index != label {
            if score > own || (score == own && index < label) || (own.isNaN && (!score.isNaN || index < label)) {
                better += 1
            }
        }
        labelled += 1
        top1 += better == 0 ? 1 : 0
        top5 += better < 5 ? 1 : 0
    }

    package func encoded() -> Data {
        ByteWriter(counts: [samples, skipped, labelled, top1, top5]).data
    }

    package init() {}

    package init(decoding data: Data) throws(ByteCodingError) {
        var reader = ByteReader(data, record: "evaluation result")
        let counts = try reader.takeCounts(5)
        try reader.finish()
        (samples, skipped, labelled) = (counts[0], counts[1], counts[2])
        (top1, top5) = (counts[3], counts[4])
    }
}
