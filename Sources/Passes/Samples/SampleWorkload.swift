import Cluster

/// A workload over the samples of a dataset, in their order, whose shards' results are merged: calibration and its like.
package protocol SampleWorkload: ModelWorkload {
    /// What shards contribute to.
    associatedtype Result: MergeableResult
    /// What the pass is cut into.
    associatedtype Shards: CountedShards = SampleShards

    /// The shards of the pass, made of those of the samples.
    func shards(of samples: sending SampleShards) -> sending Shards
}

extension SampleWorkload where Shards == SampleShards {
    /// Those of the samples as they are.
    package func shards(of samples: sending SampleShards) -> sending SampleShards { samples }
}

/// Shards whose number is known ahead.
package protocol CountedShards: ShardSource, SendableMetatype {
    /// Shards in all.
    var count: Int { get }
    /// What there is to compute, for progress: samples, as often as the pass computes each.
    var sampleCount: Int { get }
}
