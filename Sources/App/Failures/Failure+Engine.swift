import Cluster
import Execution
import Simulation
import Support

extension ExecutionError {
    var sentence: Sentence {
        Sentence(complaint, node: node, opType: opType, tensor: tensor, expected: expected, found: found)
    }

    private var complaint: String {
        switch code {
        case .unsupportedForm: "this form of the operator is not supported"
        case .library: "oneDNN failed" + (operation.map { " at \($0)" } ?? "")
        case .missingInstructionSet: "this machine lacks the instruction set of the job"
        case .inputMismatch: "the input does not fit the model"
        }
    }

    var exitReason: ExitReason {
        switch code {
        case .library: .internalFault
        case .unsupportedForm, .missingInstructionSet, .inputMismatch: .permanent
        }
    }
}

extension SimulationError {
    var sentence: Sentence {
        Sentence(complaint, file: file, node: node, tensor: tensor, key: path, expected: expected, found: found)
    }

    private var complaint: String {
        switch code {
        case .unknownConfig: "unknown config"
        case .malformed: "not valid JSON"
        case .missingKey: "missing key"
        case .unknownKey: "unknown key"
        case .invalidValue: "invalid value"
        case .unsupportedSetting: "unsupported setting"
        case .conflictingSettings: "rules want different quantizers for one tensor"
        case .conflictingParameter: "one constant is a parameter in different ways"
        case .unknownTensor: "no quantizer, enabled or not, for a tensor of this name"
        case .nothingSelected: ""
        case .conflictingEncodings: "tensors that share a quantizer have different encodings"
        case .unsupportedBitwidth: "no ONNX integer type holds so many bits"
        case .quantizedInputIsOutput: "an output that is an input cannot be quantized"
        }
    }
}

extension ClusterError {
    var sentence: Sentence {
        // What a worker reports is a sentence already.
        if let text = failure?.fields["sentence"] { return Sentence(text) }
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
        case .endpoint: "the endpoint cannot be used"
        case .journal: "the journal cannot be read or written"
        case .otherJob: "the journal belongs to another job"
        case .superseded: "another coordinator has resumed this journal"
        case .callback: "internal fault"
        case .refused: "the coordinator refuses this worker"
        case .expelled: "the coordinator wants this worker replaced"
        case .coordinatorLost: "no coordinator answers"
        case .noWorkers: "no worker is left"
        case .stateLost: "no worker is left that holds the state of the training"
        case .replicasDiffer: "workers come to different weights in one step, so a machine computes wrongly"
        case .exchangeFailed: "workers cannot reach each other"
        case .closed: "ended before the job was done, as asked; coordinator --resume goes on from the journal"
        }
    }

    var exitReason: ExitReason {
        switch code {
        case .shardFailed, .passFailed:
            failure?.permanent == false ? .temporary : .permanent
        case .shardLost, .resultsDiffer, .endpoint, .journal, .expelled, .coordinatorLost, .noWorkers, .stateLost,
            .replicasDiffer, .exchangeFailed:
            .temporary
        case .shard, .otherJob, .superseded, .refused: .permanent
        case .callback: .internalFault
        case .closed: .drained
        }
    }
}
