import Datasets
import ONNX
import Quantization
import Support
import Tensors

extension ONNXError {
    var sentence: Sentence {
        Sentence(complaint, file: file, tensor: tensor, expected: expected, found: found)
    }

    private var complaint: String {
        switch code {
        case .unreadable: "cannot be read"
        case .truncated: "the ONNX model is truncated"
        case .notONNX: "not an ONNX model"
        case .missingExternalFile: "the external data file is missing"
        case .externalFileTooShort: "the external data file is too short"
        case .externalPathOutside: "the external data lies outside the model's folder"
        case .invalidTensor: "the tensor's fields contradict each other"
        case .unsupportedElementType: "unsupported element type"
        case .notWritten: "cannot be written"
        }
    }
}

extension TensorFileError {
    var sentence: Sentence {
        Sentence(
            complaint, file: file.orNil, key: member.orNil.map { "array \"\($0)\"" }, expected: expected.orNil,
            found: found.orNil)
    }

    private var complaint: String {
        switch code {
        case .cannotOpen: "cannot be read"
        case .cannotWrite: "cannot be written"
        case .notNPY: "not an .npy array"
        case .unsupportedVersion: "unsupported version of the .npy format"
        case .malformedHeader: "the .npy header is malformed"
        case .unsupportedElementType: "unsupported element type"
        case .truncated: "the array is truncated"
        case .trailingBytes: "bytes behind the array"
        case .notZIP: "not an .npz archive"
        case .unsupportedCompression: "unsupported compression"
        case .corruptMember: "corrupt array"
        case .noArrays: "no arrays"
        case .duplicateName: "two arrays of one name"
        case .noSampleAxis: "an array without an axis of samples"
        case .differentSampleCounts: "arrays with different numbers of samples"
        case .columnMajorSamples: "a column-major array cannot be read by samples"
        case .tooLarge: "the arrays are too large"
        }
    }
}

extension DatasetError {
    var sentence: Sentence {
        let place =
            code == .malformedLabels
            ? "array \"\(key)\""
            : code == .unknownClass ? "folder \"\(key)\"" : code == .invalidPreprocessing ? key : "sample \"\(key)\""
        return Sentence(
            complaint, file: file.orNil, key: key.isEmpty ? nil : place, expected: expected.orNil,
            found: [found, wayOut].filter { !$0.isEmpty }.joined(separator: "; ").orNil)
    }

    /// Where one sample among many is bad and a job may do without it.
    private var wayOut: String {
        switch code {
        case .corruptImage, .unsupportedImage, .sampleTooLarge, .ambiguousContent, .notFinite:
            "on_bad_sample: skip leaves such samples out and counts them"
        default: ""
        }
    }

    private var complaint: String {
        switch code {
        case .noMatch: "no file matches"
        case .mixedKinds: "files of different kinds match"
        case .unknownKind: "not a dataset"
        case .cannotOpen: "cannot be read"
        case .truncatedSource: "the file is truncated"
        case .malformedArchive: "malformed archive"
        case .malformedLabels: "malformed labels"
        case .malformedPayload: "malformed shard"
        case .invalidPreprocessing: "invalid image setting"
        case .unknownClass: "a folder that is none of the job's classes; dataset.classes names them all"
        case .corruptImage: "corrupt image"
        case .unsupportedImage: "unsupported image"
        case .sampleTooLarge: "the sample is too large"
        case .missingContent: "the sample has nothing for the model"
        case .ambiguousContent: "the sample has one thing twice"
        case .invalidLabel: "invalid label"
        case .labelOutOfRange: "label out of range"
        case .corruptArray: "corrupt array"
        case .notFinite: "elements that are not finite"
        }
    }
}

extension QuantizationError {
    var sentence: Sentence {
        Sentence(complaint, file: file, key: key, expected: expected, found: found)
    }

    private var complaint: String {
        switch code {
        case .malformed: "malformed"
        case .unsupportedVersion: "unsupported version"
        case .missingKey: "missing key"
        case .unknownKey: "unknown name"
        case .invalidValue: "invalid value"
        case .unsupportedEncoding: "unsupported encoding"
        case .lengthMismatch: "another number of elements than stated"
        }
    }
}

extension ByteCodingError {
    var sentence: Sentence {
        let place = "byte \(position)" + (part.map { " (\($0))" } ?? "")
        return Sentence(complaint, key: "\(record), \(place)", expected: expected, found: found)
    }

    private var complaint: String {
        switch code {
        case .truncated: "too few bytes"
        case .malformed: "malformed"
        case .unsupportedVersion: "unsupported version"
        case .trailingBytes: "too many bytes"
        }
    }
}

extension FileError {
    var sentence: Sentence {
        Sentence(operation == .remove ? "cannot be removed" : "cannot be written", file: path, found: reason)
    }
}

extension String {
    fileprivate var orNil: String? { isEmpty ? nil : self }
}
