import Cluster
import ClusterProtocol
import Datasets
import JobFile
import Passes
import Support

/// What the stages of a job run passes with.
struct PassRunner {
    let job: JobFile
    let coordinator: Coordinator
    let progress: any JobProgress

    /// Runs a workload over the samples of a source, on whatever workers there are.
    /// - Parameters:
    ///   - name: of the stage; also known to the journal.
    ///   - isPart: of a stage that runs: it is not journaled then, and shown in place of that stage.
    /// - Returns: the merged result, and from the first lease to the last commit in seconds.
    /// - Throws: what reading the samples throws, and `ClusterError`.
    func run<Task: SampleWorkload>(
        _ workload: Task, over source: DatasetSource, named name: String, isPart: Bool = false
    ) throws -> (result: Task.Result, seconds: Double) {
        var artifacts: [ArtifactID] = []
        for bytes in workload.models + [workload.pass.probe?.model].compactMap(\.self) {
            guard let id = ArtifactID(bytes: bytes), !artifacts.contains(id) else { continue }
            artifacts.append(id)
        }
        let outcome = try namingModel {
            let shards = workload.shards(
                of: try SampleShards(
                    source, inputElements: workload.pass.inputElements, batch: job.dataset.batch,
                    mayVary: workload.pass.mayVary, skipsBadSamples: workload.pass.skipsBadSamples))
            if isPart {
                progress.beginPart(name, total: shards.sampleCount)
            } else {
                progress.begin(stage: name, total: shards.sampleCount)
            }
            defer { if isPart { progress.endPart() } }
            return try coordinator.run(
                pass: PassDescription(
                    name: name, descriptor: workload.encoded(),
                    artifacts: artifacts, shardCount: shards.count,
                    isJournaled: !isPart, probe: workload.probeSubject()),
                source: shards, reducer: MergingReducer<Task.Result>())
        }
        return (try Task.Result(decoding: outcome.state), outcome.seconds)
    }

    /// A worker has the model as bytes and cannot name its file in an error.
    func namingModel<Result>(_ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch let error as ClusterError where error.failure?.fields["sentence"] != nil {
            guard error.failure?.fields["file"] == nil else { throw error }
            throw ErrorInFile(error, file: job.url(for: job.model).path)
        }
    }
}
