import Foundation
import Quantization
import Simulation
import Support

/// What the user asks for: one model, its data, how to quantize it and what to write. Values are as in the file, with
/// defaults filled in; they have been checked one by one, but no file that they name has been touched.
public struct JobFile: Equatable, Sendable, Codable {
    /// Path of the ONNX model, as written; see `url(for:)`.
    public var model: String
    public var dataset: Dataset
    public var quantization: Quantization
    /// In the order of the file.
    public var postTraining: [PostTrainingStage]
    public var training: Training?
    /// Nil where the job analyzes nothing.
    public var analysis: Analysis?
    public var export: Export
    /// The vector instructions that workers compute with; nil (`auto` in the file and in reports) is the widest that the
    /// coordinator's machine has.
    public var instructionSet: InstructionSet?

    /// The job file's own path as the user gave it; relative paths in the job are relative to its folder.
    public var file = ""
    /// Line (from 1) of every key path in the file, for errors found after reading.
    public var lines: [String: Int] = [:]

    // In every type here the coding keys are the keys of the job file: `YAMLSection` checks against them, and the report
    // repeats the job in them.
    enum CodingKeys: String, CodingKey, CaseIterable {
        case model, dataset, quantization
        case postTraining = "post_training"
        case training, analysis, export
        case instructionSet = "instruction_set"
    }

    /// Where a path of the job lies: relative paths start at the job file's folder.
    public func url(for path: String) -> URL {
        URL(fileURLWithPath: path, relativeTo: folder).standardizedFileURL
    }

    /// The folder that relative paths of the job start at.
    public var folder: URL {
        URL(fileURLWithPath: file).standardizedFileURL.deletingLastPathComponent()
    }

    /// An error about a key of this job, with its file and line.
    public func error(
        _ code: JobError.Code, key: String, expected: String? = nil, found: String? = nil, suggestion: String? = nil
    ) -> JobError {
        JobError(
            code, file: file, key: key, line: lines[key], expected: expected, found: found, suggestion: suggestion)
    }

    public struct Dataset: Equatable, Sendable, Codable {
        public var calibration: Source
        public var training: Source?
        public var evaluation: Source?
        /// Needed where samples are images.
        public var image: Image?
        /// Samples per forward pass in a lane.
        public var batch: Int
        public var onBadSample: BadSamplePolicy

        enum CodingKeys: String, CodingKey, CaseIterable {
            case calibration, training, evaluation, image, batch
            case onBadSample = "on_bad_sample"
        }
    }

    public struct Source: Equatable, Sendable, Codable {
        /// File, folder or glob pattern, as written.
        public var path: String
        /// The first so many samples; all where nil.
        public var samples: Int?
        /// Training samples only.
        public var augment: Augmentation?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case path, samples, augment
        }
    }

    public struct Augmentation: Equatable, Sendable, Codable {
        /// Pixels added on each side before cropping back to size.
        public var cropPadding: Int
        public var horizontalFlip: Bool

        enum CodingKeys: String, CodingKey, CaseIterable {
            case cropPadding = "crop_padding"
            case horizontalFlip = "horizontal_flip"
        }
    }

    public struct Image: Equatable, Sendable, Codable {
        /// Pixels: height, width.
        public var size: [Int]
        /// Per channel (red, green, blue), of pixels divided by 255.
        public var mean: [Double]
        public var std: [Double]

        enum CodingKeys: String, CodingKey, CaseIterable {
            case size, mean, std
        }

        public var height: Int { size[0] }
        public var width: Int { size[1] }
    }

    public enum BadSamplePolicy: String, CaseIterable, Sendable, Codable {
        case stop, skip
    }

    public struct Quantization: Equatable, Sendable, Codable {
        public var config: ConfigSource = .named("default")
        public var scheme = Scheme.Name.tfEnhanced
        /// In place of `scheme`, for one kind of tensors.
        public var activationScheme: Scheme.Name?
        public var parameterScheme: Scheme.Name?
        /// What the scheme `percentile` is set to, in percent; `Scheme.defaultPercentile` where nil.
        public var percentile: Double?
        public var activationBitwidth = 8
        public var parameterBitwidth = 8
        /// Mixed precision by hand, in the order of the file; later entries win.
        public var overrides: [PlacementOverride]?
        /// Files whose encodings are taken in place of computed ones; later ones win.
        public var encodings: [EncodingsEntry]?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case config, scheme
            case activationScheme = "activation_scheme"
            case parameterScheme = "parameter_scheme"
            case percentile
            case activationBitwidth = "activation_bitwidth"
            case parameterBitwidth = "parameter_bitwidth"
            case overrides, encodings
        }

        /// What `scheme` and the keys for one kind come to.
        public var schemes: (activations: Scheme, parameters: Scheme) {
            func scheme(_ name: Scheme.Name) -> Scheme {
                Scheme(name, percentile: percentile ?? Scheme.defaultPercentile)
            }
            return (scheme(activationScheme ?? self.scheme), scheme(parameterScheme ?? self.scheme))
        }
    }

    /// Where the rules for placing quantizers come from.
    public enum ConfigSource: Equatable, Sendable {
        case named(String)
        /// Path of a quantsim config file, as written.
        case path(String)

        public static let names = SimulationConfig.builtInNames

        /// A word is a name, anything with a slash or a dot in it is a path: a misspelt name is not looked for as a file.
        public init(_ text: String) {
            self = text.contains("/") || text.contains(".") ? .path(text) : .named(text)
        }
    }

    public enum PostTrainingStage: String, CaseIterable, Sendable, Codable {
        case foldBatchNorms = "fold_batch_norms"
        case crossLayerEqualization = "cross_layer_equalization"
        case biasCorrection = "bias_correction"
    }

    /// What each quantizer does to the output.
    public struct Analysis: Equatable, Sendable, Codable {
        /// The first so many evaluation samples, of calibration samples where there are none; all where nil.
        public var samples: Int?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case samples
        }
    }

    public struct Export: Equatable, Sendable, Codable {
        /// Versions of the encodings file, in the order of the job file.
        public var encodings = [EncodingsVersion.v1]
        public var onnxQDQ = false

        enum CodingKeys: String, CodingKey, CaseIterable {
            case encodings
            case onnxQDQ = "onnx_qdq"
        }
    }

    public enum EncodingsVersion: String, CaseIterable, Sendable, Codable {
        case v0 = "0.6.1"
        case v1 = "1.0.0"
        case v2 = "2.0.0"
    }

    /// The words that an instruction set is written as.
    enum InstructionSetWord: String, CaseIterable, Codable {
        case auto, avx2, avx512

        init(_ instructionSet: InstructionSet?) {
            self = instructionSet.flatMap { Self(rawValue: $0.rawValue) } ?? .auto
        }

        var instructionSet: InstructionSet? { InstructionSet(rawValue: rawValue) }
    }
}

// What the compiler makes of `Codable` for `JobFile` calls these: its instruction set is the only one there.

extension KeyedEncodingContainer<JobFile.CodingKeys> {
    mutating func encodeIfPresent(_ value: InstructionSet?, forKey key: Key) throws {
        try encode(JobFile.InstructionSetWord(value), forKey: key)
    }
}

extension KeyedDecodingContainer<JobFile.CodingKeys> {
    func decodeIfPresent(_ type: InstructionSet.Type, forKey key: Key) throws -> InstructionSet? {
        try decode(JobFile.InstructionSetWord.self, forKey: key).instructionSet
    }
}
