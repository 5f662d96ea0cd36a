import Foundation
import Support

/// Which tensors of a model are quantized and how: the six sections of AIMET's config file, in its own names. A setting
/// that is nil is absent from the file and leaves what earlier sections said.
public struct SimulationConfig: Equatable, Sendable {
    /// What holds unless another section says otherwise.
    public var defaults: Defaults
    /// By kind of parameter: `weight`, `bias`, ...
    public var parameters: [String: ParameterRule]
    /// By ONNX op type.
    public var opTypes: [String: OpTypeRule]
    /// Chains of op types that run as one on the target: only the last one's output is quantized.
    public var supergroups: [[String]]
    /// Names of built-in patterns that run as one on the target (`supergroup_pass_list`).
    public var supergroupPasses: [String]
    /// Whether inputs of the graph are quantized, and constants that are operands.
    public var isModelInputQuantized: Bool?
    /// Whether outputs of the graph are quantized.
    public var isModelOutputQuantized: Bool?

    /// The section `defaults`.
    public struct Defaults: Equatable, Sendable {
        /// Whether outputs of ops are quantized.
        public var isOutputQuantized: Bool?
        /// Of activations.
        public var isSymmetric: Bool?
        /// Of all parameters.
        public var parameters = ParameterRule()
        /// Whether symmetric grids have as many points below zero as above; not so where nil.
        public var strictSymmetric: Bool?
        /// Whether symmetric grids of values that are never negative begin at zero; not so where nil.
        public var unsignedSymmetric: Bool?
        /// Whether parameters have one encoding per output channel; not so where nil.
        public var perChannelQuantization: Bool?
        /// Of ops whose types say nothing.
        public var supportedKernels: [SupportedKernel] = []
        /// Of the target: which precisions weights can have there, see `PrecisionRules`.
        public var hardwareVersion: String?

        public init() {}
    }

    /// What a section says of a kind of parameter.
    public struct ParameterRule: Equatable, Sendable {
        /// Whether parameters of the kind are rounded.
        public var isQuantized: Bool?
        /// Whether their grids are centered at zero.
        public var isSymmetric: Bool?

        public init(isQuantized: Bool? = nil, isSymmetric: Bool? = nil) {
            self.isQuantized = isQuantized
            self.isSymmetric = isSymmetric
        }
    }

    /// An entry of the section `op_type`.
    public struct OpTypeRule: Equatable, Sendable {
        /// Of the op's input tensors; never false in a file.
        public var isInputQuantized: Bool?
        /// Of the op's output tensors.
        public var isOutputQuantized: Bool?
        /// Of the op's input and output tensors.
        public var isSymmetric: Bool?
        /// By kind of parameter.
        public var parameters: [String: ParameterRule] = [:]
        /// Of this op type.
        public var supportedKernels: [SupportedKernel] = []
        /// In place of what `defaults` says.
        public var perChannelQuantization: Bool?
        /// Of the op's outputs.
        public var constraints: EncodingConstraints?

        public init() {}
    }

    /// Precisions that the target has for an op: candidates for mixed precision, otherwise without effect.
    public struct SupportedKernel: Equatable, Sendable {
        /// What the target holds values as.
        public struct Precision: Equatable, Sendable {
            /// 4, 8, 16 or 32.
            public var bitwidth: Int
            /// IEEE floating point; integers where false.
            public var isFloat: Bool
        }
        /// Of inputs and outputs.
        public var activation: Precision
        /// Of parameters; nil where the entry does not say.
        public var parameter: Precision?
    }

    /// A config whose sections are all empty.
    public init() {
        defaults = Defaults()
        parameters = [:]
        opTypes = [:]
        supergroups = []
        supergroupPasses = []
    }
}

extension SimulationConfig {
    /// Reads a config file. The grammar is that of the reference's schema; so are the settings that are refused though
    /// the schema has them.
    /// - Parameter file: what errors call the file.
    /// - Throws: `SimulationError` naming the file, the JSON path, what was expected and what was found.
    public init(json: Data, file: String) throws(SimulationError) {
        do throws(JSONError) {
            try self.init(JSONCursor(json, file: file))
        } catch {
            throw SimulationError(error)
        }
    }

    private init(_ document: JSONCursor) throws(JSONError) {
        let required = ["defaults", "params", "op_type", "supergroups", "model_input", "model_output"]
        let root = try document.members(required + ["supergroup_pass_list"], required: required)
        self.init()
        for (section, cursor) in root.sorted(by: { $0.key < $1.key }) {
            switch section {
            case "defaults": defaults = try Self.defaults(cursor)
            case "params": parameters = try Self.parameterRules(cursor)
            case "op_type": opTypes = try Self.opTypeRules(cursor)
            case "supergroups": supergroups = try Self.supergroups(cursor)
            case "supergroup_pass_list": supergroupPasses = try Self.supergroupPasses(cursor)
            case "model_input":
                isModelInputQuantized = try Self.trueOrAbsent(cursor.members(["is_input_quantized"]).values.first)
            default:
                isModelOutputQuantized = try Self.trueOrAbsent(cursor.members(["is_output_quantized"]).values.first)
            }
        }
    }

    private static func defaults(_ cursor: JSONCursor) throws(JSONError) -> Defaults {
        let members = try cursor.members(
            [
                "ops", "params", "strict_symmetric", "unsigned_symmetric", "per_channel_quantization",
                "supported_kernels", "hw_version",
            ], required: ["ops", "params"])
        var defaults = Defaults()
        if let cursor = members["ops"] {
            let ops = try cursor.members(["is_input_quantized", "is_output_quantized", "is_symmetric"])
            if let input = ops["is_input_quantized"] {
                _ = try input.boolText()
                throw input.error(.unsupported, expected: "no such key here")
            }
            defaults.isOutputQuantized = try trueOrAbsent(ops["is_output_quantized"])
            defaults.isSymmetric = try ops["is_symmetric"]?.boolText()
        }
        if let cursor = members["params"] { defaults.parameters = try parameterRule(cursor) }
        defaults.strictSymmetric = try members["strict_symmetric"]?.boolText()
        defaults.unsignedSymmetric = try members["unsigned_symmetric"]?.boolText()
        defaults.perChannelQuantization = try members["per_channel_quantization"]?.boolText()
        if let cursor = members["supported_kernels"] {
            defaults.supportedKernels = try supportedKernels(cursor, parameterIsRequired: true)
        }
        defaults.hardwareVersion = try members["hw_version"]?.string()
        return defaults
    }

    private static func parameterRules(_ cursor: JSONCursor) throws(JSONError) -> [String: ParameterRule] {
        var rules: [String: ParameterRule] = [:]
        for (kind, rule) in try cursor.members() { rules[kind] = try parameterRule(rule) }
        return rules
    }

    private static func parameterRule(_ cursor: JSONCursor) throws(JSONError) -> ParameterRule {
        let members = try cursor.members(["is_quantized", "is_symmetric"])
        return ParameterRule(
            isQuantized: try members["is_quantized"]?.boolText(), isSymmetric: try members["is_symmetric"]?.boolText())
    }

    private static func opTypeRules(_ cursor: JSONCursor) throws(JSONError) -> [String: OpTypeRule] {
        var rules: [String: OpTypeRule] = [:]
        for (opType, rule) in try cursor.members() { rules[opType] = try opTypeRule(rule) }
        return rules
    }

    private static func opTypeRule(_ cursor: JSONCursor) throws(JSONError) -> OpTypeRule {
        let members = try cursor.members([
            "is_input_quantized", "is_output_quantized", "is_symmetric", "params", "supported_kernels",
            "per_channel_quantization", "encoding_constraints",
        ])
        var rule = OpTypeRule()
        rule.isInputQuantized = try trueOrAbsent(members["is_input_quantized"])
        rule.isOutputQuantized = try members["is_output_quantized"]?.boolText()
        rule.isSymmetric = try members["is_symmetric"]?.boolText()
        if let cursor = members["params"] { rule.parameters = try parameterRules(cursor) }
        if let cursor = members["supported_kernels"] {
            rule.supportedKernels = try supportedKernels(cursor, parameterIsRequired: false)
        }
        rule.perChannelQuantization = try members["per_channel_quantization"]?.boolText()
        if let cursor = members["encoding_constraints"] { rule.constraints = try constraints(cursor) }
        return rule
    }

    private static func constraints(_ cursor: JSONCursor) throws(JSONError) -> EncodingConstraints {
        let members = try cursor.members(["min", "max"], required: ["min"])
        let constraints = EncodingConstraints(
            min: try members["min"]?.number() ?? 0, max: try members["max"]?.number())
        // Beyond it no grid has a step that a float holds.
        let limit = Double(Float.greatestFiniteMagnitude) / 2
        guard abs(constraints.min) <= limit, abs(constraints.max ?? 0) <= limit else {
            throw cursor.error(expected: "ends of a range of float32")
        }
        if let max = constraints.max, max < constraints.min {
            throw cursor.error(expected: "min not above max")
        }
        return constraints
    }

    /// A switch that the reference has no use for in the other position.
    private static func trueOrAbsent(_ cursor: JSONCursor?) throws(JSONError) -> Bool? {
        guard let cursor else { return nil }
        guard try cursor.boolText() else { throw cursor.error(.unsupported, expected: "\"True\"") }
        return true
    }

    private static func supportedKernels(
        _ cursor: JSONCursor, parameterIsRequired: Bool
    ) throws(JSONError) -> [SupportedKernel] {
        let elements = try cursor.elements()
        guard !elements.isEmpty else { throw cursor.error(expected: "at least one kernel") }
        var kernels: [SupportedKernel] = []
        for element in elements {
            let members = try element.members(
                ["activation", "param"], required: parameterIsRequired ? ["activation", "param"] : ["activation"])
            guard let activation = members["activation"] else { continue }
            var kernel = SupportedKernel(activation: try precision(activation), parameter: nil)
            if let parameter = members["param"] { kernel.parameter = try precision(parameter) }
            kernels.append(kernel)
        }
        return kernels
    }

    private static func precision(_ cursor: JSONCursor) throws(JSONError) -> SupportedKernel.Precision {
        let members = try cursor.members(["bitwidth", "dtype"], required: ["bitwidth", "dtype"])
        var precision = SupportedKernel.Precision(bitwidth: 8, isFloat: false)
        if let dtype = members["dtype"] {
            switch try dtype.string() {
            case "int": precision.isFloat = false
            case "float": precision.isFloat = true
            default: throw dtype.error(expected: "\"int\" or \"float\"")
            }
        }
        if let bitwidth = members["bitwidth"] {
            let known: [Double] = precision.isFloat ? [16, 32] : [4, 8, 16, 32]
            let number = try bitwidth.number()
            guard known.contains(number) else {
                throw bitwidth.error(expected: known.map { "\(Int($0))" }.joined(separator: ", "))
            }
            precision.bitwidth = Int(number)
        }
        return precision
    }

    private static func supergroups(_ cursor: JSONCursor) throws(JSONError) -> [[String]] {
        var groups: [[String]] = []
        for element in try cursor.elements() {
            guard let list = try element.members(["op_list"], required: ["op_list"])["op_list"] else { continue }
            var opTypes: [String] = []
            for opType in try list.elements() { opTypes.append(try opType.string()) }
            guard opTypes.count >= 2 else { throw list.error(expected: "at least two op types") }
            groups.append(opTypes)
        }
        return groups
    }

    private static func supergroupPasses(_ cursor: JSONCursor) throws(JSONError) -> [String] {
        let known = FusionPass.allCases.map(\.rawValue)
        var names: [String] = []
        for element in try cursor.elements() {
            let name = try element.string()
            guard known.contains(name) else { throw element.error(expected: known.joined(separator: ", ")) }
            names.append(name)
        }
        return names
    }
}

/// Ends of an op's output range that are known beforehand and override what was observed.
public struct EncodingConstraints: Hashable, Sendable {
    /// The least value, in real units.
    public var min: Double
    /// Nil leaves the greatest value to observation.
    public var max: Double?

    public init(min: Double, max: Double? = nil) {
        self.min = min
        self.max = max
    }
}

/// Written as a list of the ends.
extension EncodingConstraints: Codable {
    /// - Throws: `DecodingError` where there is no first number.
    public init(from decoder: any Decoder) throws {
        var container = try decoder.unkeyedContainer()
        min = try container.decode(Double.self)
        max = try container.decodeIfPresent(Double.self)
    }

    /// One number, or two.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.unkeyedContainer()
        try container.encode(min)
        if let max { try container.encode(max) }
    }
}
