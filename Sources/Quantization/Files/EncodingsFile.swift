import Foundation
import Support

/// The encodings of a model as the file that AIMET's tools exchange, versions 0.6.1, 1.0.0 and 2.0.0.
///
/// All versions carry the grid of every tensor; only 0.6.1 carries min and max, which otherwise follow from the grid.
/// Only 2.0.0 carries along which axis the channels of a tensor lie, which otherwise follows from the op that takes it; but
/// it does not say which tensors are parameters.
public struct EncodingsFile: Equatable, Sendable {
    /// Of the format.
    // swift-format-ignore: AlwaysUseLowerCamelCase
    public enum Version: String, CaseIterable, Sendable, Encodable {
        case v0_6_1 = "0.6.1"
        case v1_0_0 = "1.0.0"
        case v2_0_0 = "2.0.0"
    }

    /// The program that wrote a file.
    public struct Producer: Equatable, Sendable {
        /// The program's name.
        public var package: String
        /// The program's version.
        public var version: String

        public init(package: String, version: String) {
            self.package = package
            self.version = version
        }

        /// This program.
        public static let quantsim = Producer(package: "quantsim", version: Program.version)
    }

    /// What the simulation was asked for (`quantizer_args`).
    public struct QuantizerArguments: Equatable, Sendable {
        /// In bits, unless a rule says otherwise.
        public var activationBitwidth: Int
        /// In bits, unless a rule says otherwise.
        public var parameterBitwidth: Int
        /// Whether parameters are symmetric unless a rule says otherwise.
        public var isSymmetric: Bool
        /// Whether parameters have an encoding per channel unless a rule says otherwise.
        public var perChannelQuantization: Bool
        /// Of the activations, as AIMET names it: `min_max`, `post_training_tf_enhanced`.
        public var scheme: String

        public init(
            activationBitwidth: Int, parameterBitwidth: Int, isSymmetric: Bool, perChannelQuantization: Bool,
            scheme: String
        ) {
            self.activationBitwidth = activationBitwidth
            self.parameterBitwidth = parameterBitwidth
            self.isSymmetric = isSymmetric
            self.perChannelQuantization = perChannelQuantization
            self.scheme = scheme
        }
    }

    /// By ONNX tensor name.
    public var activations: [String: TensorEncodings]
    /// By initializer name.
    public var parameters: [String: TensorEncodings]
    /// What a file of version 2.0.0 holds, by tensor name, before a graph has told what is a parameter. Axes are as in the
    /// file: negative ones count from the end.
    public var tensors: [String: TensorEncodings]
    /// Not in version 2.0.0.
    public var quantizerArguments: QuantizerArguments?
    /// Who wrote the file; empty names where it does not say.
    public var producer: Producer

    public init(
        activations: [String: TensorEncodings], parameters: [String: TensorEncodings],
        tensors: [String: TensorEncodings] = [:], quantizerArguments: QuantizerArguments? = nil,
        producer: Producer = .quantsim
    ) {
        self.activations = activations
        self.parameters = parameters
        self.tensors = tensors
        self.quantizerArguments = quantizerArguments
        self.producer = producer
    }

    /// Reads a file of any version. Keys that are not known are passed over.
    /// - Parameter file: what errors call the file.
    /// - Throws: `QuantizationError` naming the file, the place in it, what was expected and what was found.
    public static func read(_ data: Data, file: String) throws(QuantizationError) -> EncodingsFile {
        do throws(JSONError) {
            return try read(JSONCursor(data, file: file))
        } catch {
            throw QuantizationError(error)
        }
    }

    private static func read(_ root: JSONCursor) throws(JSONError) -> EncodingsFile {
        let versionText = try root.required("version").string()
        guard let version = Version(rawValue: versionText) else {
            let known = Version.allCases.map(\.rawValue).joined(separator: ", ")
            throw JSONError(
                .unsupportedVersion, file: root.file, path: "version", expected: known, found: versionText)
        }
        if version == .v2_0_0 {
            return EncodingsFile(
                activations: [:], parameters: [:], tensors: try section(root.required("encodings"), version),
                producer: try producer(root.optional("producer")))
        }
        return EncodingsFile(
            activations: try section(root.required("activation_encodings"), version),
            parameters: try section(root.required("param_encodings"), version),
            quantizerArguments: try quantizerArguments(root.optional("quantizer_args")),
            producer: try producer(root.optional("producer")))
    }

    private static func section(
        _ cursor: JSONCursor, _ version: Version
    ) throws(JSONError) -> [String: TensorEncodings] {
        var tensors: [String: TensorEncodings] = [:]
        switch version {
        case .v0_6_1:
            for (name, value) in try cursor.members() {
                tensors[name] = try EncodingsVersion0.encodings(value)
            }
        case .v1_0_0, .v2_0_0:
            for entry in try cursor.elements() {
                let name = try entry.required("name")
                let encodings =
                    try version == .v1_0_0 ? EncodingsVersion1.encodings(entry) : EncodingsVersion2.encodings(entry)
                guard let encodings else { continue }
                guard tensors.updateValue(encodings, forKey: try name.string()) == nil else {
                    throw name.error(expected: "each name once")
                }
            }
        }
        return tensors
    }

    private static func quantizerArguments(_ cursor: JSONCursor?) throws(JSONError) -> QuantizerArguments? {
        guard let cursor else { return nil }
        return QuantizerArguments(
            activationBitwidth: try cursor.required("activation_bitwidth").integer(in: 1...32),
            parameterBitwidth: try cursor.required("param_bitwidth").integer(in: 1...32),
            isSymmetric: try cursor.required("is_symmetric").bool(),
            perChannelQuantization: try cursor.required("per_channel_quantization").bool(),
            scheme: try cursor.required("quant_scheme").string())
    }

    private static func producer(_ cursor: JSONCursor?) throws(JSONError) -> Producer {
        guard let cursor else { return Producer(package: "", version: "") }
        return Producer(
            package: try cursor.required("package").string(), version: try cursor.required("version").string())
    }

    /// The file's bytes. Equal contents give equal bytes: tensors and keys are sorted, numbers have the fewest digits that
    /// are read as the same number.
    ///
    /// Version 2.0.0 carries all tensors in one list, and axes, which must be known; of the other versions `tensors` must be
    /// empty. It has no entries for half precision.
    /// - Throws: `QuantizationError(.unsupportedEncoding)` for blocks in version 0.6.1, which would be read as channels.
    public func write(version: Version) throws(QuantizationError) -> Data {
        var root: [String: JSONValue] = [
            "producer": .object(["package": .string(producer.package), "version": .string(producer.version)]),
            "version": .string(version.rawValue),
        ]
        if version == .v2_0_0 {
            let all = tensors.merging(activations) { $1 }.merging(parameters) { $1 }.filter { $1.dataType == .int }
            root["encodings"] = Self.section(all, version)
            return Data(JSONText.document(.object(root)).utf8)
        }
        precondition(tensors.isEmpty, "only a graph tells what is a parameter")
        if version == .v0_6_1, let name = parameters.filter({ $1.blocks != nil }).keys.min() {
            throw QuantizationError(
                .unsupportedEncoding, key: name, expected: "no blocks in version 0.6.1", found: "blocks")
        }
        root["activation_encodings"] = Self.section(activations, version)
        root["param_encodings"] = Self.section(parameters, version)
        if let arguments = quantizerArguments {
            root["quantizer_args"] = .object([
                "activation_bitwidth": .integer(arguments.activationBitwidth),
                "dtype": .string("int"),
                "is_symmetric": .bool(arguments.isSymmetric),
                "param_bitwidth": .integer(arguments.parameterBitwidth),
                "per_channel_quantization": .bool(arguments.perChannelQuantization),
                "quant_scheme": .string(arguments.scheme),
            ])
        }
        return Data(JSONText.document(.object(root)).utf8)
    }

    private static func section(_ tensors: [String: TensorEncodings], _ version: Version) -> JSONValue {
        switch version {
        case .v0_6_1:
            return .object(tensors.mapValues(EncodingsVersion0.entry))
        case .v1_0_0, .v2_0_0:
            let sorted = tensors.sorted { $0.key.unicodeScalars.lexicographicallyPrecedes($1.key.unicodeScalars) }
            return .array(
                sorted.map { name, tensor in
                    version == .v1_0_0
                        ? EncodingsVersion1.entry(name, tensor) : EncodingsVersion2.entry(name, tensor)
                })
        }
    }
}

// What the entries of several versions have in common.

extension JSONCursor {
    /// Whether an entry is of half precision. Entries of other floats are refused where integers are read.
    /// - Parameters:
    ///   - bits: the key of the bits.
    ///   - float: what the version calls floats.
    func isFloat16(bits: String, float: String) throws(JSONError) -> Bool {
        guard let type = try optional("dtype"), try type.string() == float else { return false }
        return try required(bits).integer(in: 1...32) == 16
    }

    /// A delta.
    func scale() throws(JSONError) -> Double {
        let number = try number()
        guard Float(number).isNormal, number > 0 else { throw error(expected: "a positive number") }
        return number
    }

    /// The least grid point over delta.
    func gridOffset(bitwidth: Int) throws(JSONError) -> Int {
        try integer(in: 1 - 1 << bitwidth...0)
    }
}

extension Encoding {
    /// The grid of versions that do not give its ends. A strict symmetric one is told by its offset: it lacks the point that
    /// has no opposite.
    init(bitwidth: Int, delta: Double, offset: Int, symmetric: Bool) {
        let isStrict = symmetric && offset == 1 - 1 << (bitwidth - 1)
        self.init(
            bitwidth: bitwidth, delta: delta, offset: offset, steps: (1 << bitwidth) - (isStrict ? 2 : 1),
            symmetric: symmetric)
    }
}

extension Scheme {
    /// The scheme's name in the `quantizer_args` of an encodings file.
    public var nameInEncodingsFile: String {
        switch self {
        case .tf: "min_max"
        case .tfEnhanced: "post_training_tf_enhanced"
        case .percentile: "post_training_percentile"
        // AIMET has no names for these.
        case .mse: "mse"
        case .entropy: "entropy"
        }
    }
}
