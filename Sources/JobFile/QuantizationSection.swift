import Foundation
import Quantization
import Simulation

// The section `quantization`, but for what is said of single quantizers, see `OverridesSection`.
extension JobFile {
    /// How tensors are quantized unless `overrides` or `encodings` say otherwise.
    public struct Quantization: Equatable, Sendable, Encodable {
        /// Which tensors have quantizers.
        public var config: ConfigSource = .named("default")
        /// How a range is chosen from what was observed.
        public var scheme = Scheme.Name.tfEnhanced
        /// In place of `scheme`, for one kind of tensors.
        public var activationScheme: Scheme.Name?
        /// As `activationScheme`, for parameters.
        public var parameterScheme: Scheme.Name?
        /// What the scheme `percentile` is set to, in percent; `Scheme.defaultPercentile` where nil.
        public var percentile: Double?
        /// 2 to 16.
        public var activationBitwidth = 8
        /// 2 to 16.
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
        /// One that is built in, by its name.
        case named(String)
        /// Path of a quantsim config file, as written.
        case path(String)

        /// Those of the built-in configs.
        public static let names = SimulationConfig.builtInNames

        /// A word is a name, anything with a slash or a dot in it is a path: a misspelt name is not looked for as a file.
        public init(_ text: String) {
            self = text.contains("/") || text.contains(".") ? .path(text) : .named(text)
        }
    }
}

extension JobFile.Quantization {
    /// Grids of more than 16 bits are finer than the float arithmetic that simulates them.
    public static let bitwidths = 2...16

    init(_ value: YAMLValue) throws {
        let section = try YAMLSection(value, keys: CodingKeys.self)
        if let config = section[.config] { self.config = try JobFile.ConfigSource(config) }
        if let scheme = section[.scheme] { self.scheme = try scheme.choice(of: Scheme.Name.self) }
        activationScheme = try section[.activationScheme]?.choice(of: Scheme.Name.self)
        parameterScheme = try section[.parameterScheme]?.choice(of: Scheme.Name.self)
        if let percent = section[.percentile] { percentile = try readPercentile(percent) }
        if let bitwidth = section[.activationBitwidth] { activationBitwidth = try bitwidth.integer(in: Self.bitwidths) }
        if let bitwidth = section[.parameterBitwidth] { parameterBitwidth = try bitwidth.integer(in: Self.bitwidths) }
        let percentile = percentile
        overrides = try section[.overrides]?.list(of: "overrides").map {
            try PlacementOverride($0, percentile: percentile)
        }
        encodings = try section[.encodings].map { try JobFile.EncodingsEntry.all($0) }
    }

    private func readPercentile(_ value: YAMLValue) throws -> Double {
        let percent = try value.number("a number above 50, at most 100", where: Scheme.isPercentile)
        let names = (activations: schemes.activations.name, parameters: schemes.parameters.name)
        guard names.activations == .percentile || names.parameters == .percentile else {
            throw value.error(
                .conflictingKeys, expected: "the scheme percentile for activations or parameters",
                found: Set([names.activations.rawValue, names.parameters.rawValue]).sorted().joined(separator: " and "))
        }
        return percent
    }
}

extension JobFile.ConfigSource {
    init(_ value: YAMLValue) throws {
        let text = try value.text()
        self.init(text)
        if case .named = self, !Self.names.contains(text) {
            throw value.error(
                .unknownChoice, expected: alternatives(Self.names + ["the path of a config file"]),
                suggestion: nearestWord(to: text, among: Self.names))
        }
    }
}

/// Written as in the job file: a name or a path.
extension JobFile.ConfigSource: Encodable {
    /// A name or path as it was written.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .named(let text), .path(let text): try container.encode(text)
        }
    }

    /// The config, read from its file where it is not built in.
    /// - Parameter url: where a path of the user's lies.
    /// - Throws: `SimulationError`; or an error that names the file if it cannot be read.
    package func config(locating url: (String) -> URL) throws -> SimulationConfig {
        switch self {
        case .named(let name):
            guard let config = SimulationConfig.named(name) else {
                throw SimulationError(
                    .unknownConfig, expected: Self.names.joined(separator: ", ") + " or the path of a config file",
                    found: name)
            }
            return config
        case .path(let path):
            let url = url(path)
            return try SimulationConfig(json: readFile(url), file: url.path)
        }
    }
}
