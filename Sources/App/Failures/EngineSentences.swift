import Execution
import Graph
import Nodes
import Operators
import Passes
import Simulation
import Support
import Training

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
        case .tooLarge: "the network takes too much memory"
        }
    }

    var exitReason: ExitReason {
        switch code {
        // What oneDNN does not take, it will not take another time.
        case .library: found == "out of memory" ? .temporary : .permanent
        case .unsupportedForm, .missingInstructionSet, .inputMismatch, .tooLarge: .permanent
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

extension GraphError {
    var sentence: Sentence {
        Sentence(
            complaint, node: node, opType: opType, tensor: tensor, expected: expected, found: found)
    }

    private var complaint: String {
        switch code {
        case .undefinedValue: "used before it is defined"
        case .duplicateValue: "defined twice"
        case .cycle: "the nodes form a cycle"
        case .missingOutput: "a graph output that no node computes"
        case .unsupportedOperators: "unsupported operators"
        case .unsupportedOpset: "unsupported operator set version"
        case .unsupportedElementType: "unsupported element type"
        case .invalidAttribute: "invalid attribute"
        case .invalidInput: "invalid input"
        case .shapeMismatch: "shapes do not fit"
        case .inputShapeMismatch: "the input has another shape than the model's"
        case .unknownParameter: "an input that must be known before the samples"
        case .unsoundConstant: "a constant that no result can be trusted with"
        case .notFinite: "what the model computes is not finite"
        case .recursiveFunction: "a function of the model calls itself, or calls go too deep"
        case .functionsTooLarge: "the functions of the model are made of too much"
        case .mixesSamples: "samples along the first axis of the inputs are not kept apart"
        }
    }
}

extension TrainingError {
    var sentence: Sentence {
        // Settings and places in files are keys, everything else with a name is a tensor.
        let isTensor = [.notFinite, .tooLarge, .unsupportedElementType, .differentTensors, .duplicateName].contains(
            code)
        let name = key.map { isTensor && $0 != SlotResult.lossKey ? "tensor \"\($0)\"" : $0 }
        let place = [
            step.map { "step \($0)" }, slot.map { "slot \($0)" }, name, index.map { "element \($0)" },
        ].compactMap(\.self)
        return Sentence(
            complaint, file: file, key: place.isEmpty ? nil : place.joined(separator: ", "), expected: expected,
            found: found)
    }

    private var complaint: String {
        switch code {
        case .notFinite: "training diverges, not finite"
        case .diverged: "training diverges, its loss grows; a smaller learning rate may help"
        case .tooLarge: "training diverges, too large"
        case .tooManyAddends: "too many slots"
        case .labelOutOfRange: "label out of range"
        case .lengthMismatch: "another number of elements than expected"
        case .duplicateName: "two parameters of one name"
        case .invalidSetting: "invalid setting"
        case .malformed: "malformed"
        case .cannotOpen: "cannot be read"
        case .cannotWrite: "cannot be written"
        case .truncated: "the file is truncated"
        case .unsupportedElementType: "unsupported element type"
        case .digestMismatch: "the file is damaged: its digest is not the manifest's"
        case .differentTensors: "the checkpoint has other tensors than the model"
        case .noCheckpoint: "no checkpoint"
        }
    }

    var exitReason: ExitReason {
        // Mostly a full disk.
        code == .cannotWrite ? .temporary : .permanent
    }
}
