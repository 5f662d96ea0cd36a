import Cluster
import Datasets
import Foundation

/// The shards of an analysis.
struct AnalysisExecutor: ShardExecutor {
    struct Prepared: Sendable {
        var block: Int
        var batch: SampleBatch
    }

    private let specification: PassSpecification
    private let models: AnalysisModels
    /// Scores per sample, where labels count.
    private let classes: Int?

    init(_ specification: PassSpecification, _ models: AnalysisModels) throws {
        self.specification = specification
        self.models = models
        classes = models.task.countsLabels ? try models.reference.classes(of: specification) : nil
    }

    func prepare(shard: Int, payload: Data) throws -> Prepared {
        try reportingFailure {
            guard let parts = AnalysisPayload(decoding: payload) else {
                throw ShardFailure(permanent: true, code: "payload")
            }
            let samples = try ShardPayload(decoding: parts.samples).samples
            return Prepared(
                block: parts.block, batch: try SampleBatch(decoding: samples, as: specification, classes: classes))
        }
    }

    func makeLane(keeping memory: LaneMemory) throws -> AnalysisLane {
        try reportingFailure { try AnalysisLane(specification, models, classes: classes) }
    }
}
