import ClusterProtocol
import JobFile
import Support

extension JobError {
    var sentence: Sentence {
        switch code {
        case .invalidYAML:
            placed("not valid YAML", expected: expected, found: found)
        case .unknownKey:
            // With a near key at hand, the list of all keys would hide it.
            Sentence(
                "unknown key \(key ?? "")", file: file, line: line, expected: suggestion == nil ? expected : nil,
                suggestion: suggestion)
        case .missingKey:
            Sentence("missing key \(key ?? "")", file: file, line: line, expected: expected)
        case .duplicateKey:
            placed("given twice", found: found)
        case .wrongType, .outOfRange, .unknownChoice, .conflictingKeys:
            placed("", expected: expected, found: found)
        case .unreadableFile:
            placed("cannot be read", found: found)
        case .unwritableFile:
            placed("cannot be written", found: found)
        case .processNotStarted:
            placed("cannot be started as a process", found: found)
        }
    }

    private func placed(_ complaint: String, expected: String? = nil, found: String? = nil) -> Sentence {
        Sentence(
            complaint, file: file, line: line, key: key, expected: expected, found: found, suggestion: suggestion)
    }

    var exitReason: ExitReason {
        switch code {
        case .unreadableFile, .unwritableFile, .processNotStarted:
            systemError.map(ExitReason.init(systemError:)) ?? .permanent
        default: .permanent
        }
    }
}

extension Refusal.Code {
    fileprivate var complaint: String {
        switch self {
        case .protocolVersion: "which speaks another version of the protocol"
        case .library: "which computes with another library"
        case .instructionSet: "whose machine lacks the job's instruction set"
        case .probe: "which computes other bits than the job's first"
        case .identity: "whose greeting contradicts its connection"
        case .capacity: "as there are too many"
        }
    }
}

extension ClusterError {
    var sentence: Sentence {
        // What a worker reports is a sentence already.
        if let text = failure?.fields["sentence"] { return Sentence(text) }
        if [.endpoint, .mistakenEndpoint].contains(code) {
            return Sentence(complaint, key: expected, found: found)
        }
        var operands = [pass.map { "pass \($0)" }, shard.map { "shard \($0)" }, worker.map { "worker \($0)" }]
        operands = operands.filter { $0 != nil }
        return Sentence(
            complaint, key: operands.compactMap { $0 }.joined(separator: ", "), expected: expected,
            found: found ?? failure?.code)
    }

    private var complaint: String {
        switch code {
        case .shardFailed: "a shard failed"
        case .passFailed: "a worker could not set up the pass"
        case .shardLost: "workers died again and again on one shard"
        case .resultsDiffer: "two results of one shard differ, so a machine computes wrongly"
        case .shard: "a shard is too large or out of sequence"
        case .endpoint, .mistakenEndpoint: "the endpoint cannot be used"
        case .journal: "the journal cannot be read or written"
        case .unusableJournal: "the journal cannot be trusted"
        case .otherJob: "the output folder belongs to another job"
        case .superseded: "another coordinator has resumed this journal"
        case .callback: "internal fault"
        case .unusableJob: "the job's model or data cannot be used"
        case .hinderedJob: "the job could not go on for now"
        case .refused: "the coordinator refuses this worker" + (refusal.map { ", \($0.complaint)" } ?? "")
        case .expelled: "the coordinator wants this worker replaced"
        case .coordinatorLost: "no coordinator answers"
        case .noWorkers: "no worker is left"
        case .stateLost: "no worker is left that holds the state of the training"
        case .replicasDiffer: "workers come to different weights in one step, so a machine computes wrongly"
        case .exchangeFailed: "workers cannot reach each other"
        case .closed: "ended before the job was done, as asked; the same command goes on where it was"
        }
    }

    var exitReason: ExitReason {
        switch code {
        case .shardFailed, .passFailed:
            failure?.permanent == false ? .temporary : .permanent
        case .shardLost, .resultsDiffer, .endpoint, .hinderedJob, .journal, .expelled, .coordinatorLost, .noWorkers,
            .stateLost, .replicasDiffer, .exchangeFailed:
            .temporary
        case .shard, .otherJob, .superseded, .refused, .unusableJob, .unusableJournal: .permanent
        case .mistakenEndpoint: .usage
        case .callback: .internalFault
        case .closed: .drained
        }
    }
}

extension ClusterError.Code {
    /// What workers are told of an error of the coordinator's, so that they end as it does.
    init(describing error: any Error) {
        if let error = error as? ClusterError {
            self = error.codeForWorkers
            return
        }
        self =
            switch Failure(error).exitReason {
            case .temporary: .hinderedJob
            case .done, .usage, .permanent, .drained: .unusableJob
            case .internalFault: .callback
            }
    }
}
