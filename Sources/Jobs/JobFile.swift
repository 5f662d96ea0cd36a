import Foundation

/// What the user asks for: one model, its data, how to quantize it and what to write. Values are as in the file, with
/// defaults filled in; they have been checked one by one, but no file that they name has been touched.
public struct JobFile: Equatable, Sendable, Encodable {
    /// Path of the ONNX model, as written; see `url(for:)`.
    public var model: String
    public var dataset: Dataset
    public var quantization: Quantization
    /// In the order of the file.
    public var postTraining: [PostTrainingStage]
    public var training: Training?
    public var export: Export
    public var instructionSet: InstructionSet

    /// The job file's own path as the user gave it; relative paths in the job are relative to its folder.
    public var file: String
    /// Line (from 1) of every key path in the file, for errors found after reading.
    public var lines: [String: Int]

    /// The report repeats the job in the words of the job file; its encoder turns the keys into snake case.
    enum CodingKeys: String, CodingKey {
        case model, dataset, quantization, postTraining, training, export, instructionSet
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

    public struct Dataset: Equatable, Sendable, Encodable {
        public var calibration: Source
        public var training: Source?
        public var evaluation: Source?
        /// Needed where samples are images.
        public var image: Image?
        /// Samples per forward pass in a lane.
        public var batch: Int
        public var onBadSample: BadSamplePolicy
    }

    public struct Source: Equatable, Sendable, Encodable {
        /// File, folder or glob pattern, as written.
        public var path: String
        /// The first so many samples; all where nil.
        public var samples: Int?
        public var augment: Augmentation?
    }

    public struct Augmentation: Equatable, Sendable, Encodable {
        /// Pixels added on each side before cropping back to size.
        public var cropPadding: Int
        public var horizontalFlip: Bool
    }

    public struct Image: Equatable, Sendable, Encodable {
        /// Pixels: height, width.
        public var size: [Int]
        /// Per channel (red, green, blue), of pixels divided by 255.
        public var mean: [Double]
        public var std: [Double]

        public var height: Int { size[0] }
        public var width: Int { size[1] }
    }

    public enum BadSamplePolicy: String, CaseIterable, Sendable, Codable {
        case stop, skip
    }

    public struct Quantization: Equatable, Sendable, Encodable {
        public var config: ConfigSource = .named("default")
        public var scheme = Scheme.tfEnhanced
        public var activationBitwidth = 8
        public var parameterBitwidth = 8
    }

    /// Where the rules for placing quantizers come from.
    public enum ConfigSource: Equatable, Sendable {
        case named(String)
        /// Path of a quantsim config file, as written.
        case path(String)

        public static let names = ["default", "default_per_channel", "htp_v73"]
    }

    public enum Scheme: String, CaseIterable, Sendable, Codable {
        case tf, percentile, mse, entropy
        case tfEnhanced = "tf_enhanced"
    }

    public enum PostTrainingStage: String, CaseIterable, Sendable, Codable {
        case foldBatchNorms = "fold_batch_norms"
        case crossLayerEqualization = "cross_layer_equalization"
        case biasCorrection = "bias_correction"
    }

    public struct Export: Equatable, Sendable, Encodable {
        /// Versions of the encodings file, in the order of the job file.
        public var encodings = [EncodingsVersion.v1]
        public var onnxQDQ = false

        enum CodingKeys: String, CodingKey {
            case encodings
            case onnxQDQ = "onnx_qdq"
        }
    }

    public enum EncodingsVersion: String, CaseIterable, Sendable, Codable {
        case v0 = "0.6.1"
        case v1 = "1.0.0"
        case v2 = "2.0.0"
    }

    /// The widest vector instructions that workers compute with; `auto` is the widest that all workers have.
    public enum InstructionSet: String, CaseIterable, Sendable, Codable {
        case auto, avx2, avx512
    }
}
