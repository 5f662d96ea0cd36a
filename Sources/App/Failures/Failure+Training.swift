import Passes
import Support
import Training

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
