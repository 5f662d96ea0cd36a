import Foundation
import Quantization

extension SimulationConfig {
    /// Reads a config file. The grammar is that of the reference's schema; so are the settings that are refused though
    /// the schema has them.
    /// - Parameter file: what errors call the file.
    /// - Throws: `SimulationError` naming the file, the JSON path, what was expected and what was found.
    public init(json: Data, file: String) throws(SimulationError) {
        let document: JSONValue
        do {
            document = try JSONValue.parse(json)
        } catch {
            throw SimulationError(.malformed, file: file, expected: "JSON")
        }
        let required = ["defaults", "params", "op_type", "supergroups", "model_input", "model_output"]
        let root = try ConfigCursor(value: document, file: file, path: "")
            .members(required + ["supergroup_pass_list"], required: required)
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

    private static func defaults(_ cursor: ConfigCursor) throws(SimulationError) -> Defaults {
        let members = try cursor.members(
            [
                "ops", "params", "strict_symmetric", "unsigned_symmetric", "per_channel_quantization",
                "supported_kernels", "hw_version",
            ], required: ["ops", "params"])
        var defaults = Defaults()
        if let cursor = members["ops"] {
            let ops = try cursor.members(["is_input_quantized", "is_output_quantized", "is_symmetric"])
            if let input = ops["is_input_quantized"] {
                _ = try input.bool()
                throw input.error(.unsupportedSetting, expected: "no such key here")
            }
            defaults.isOutputQuantized = try trueOrAbsent(ops["is_output_quantized"])
            defaults.isSymmetric = try ops["is_symmetric"]?.bool()
        }
        if let cursor = members["params"] { defaults.parameters = try parameterRule(cursor) }
        defaults.strictSymmetric = try members["strict_symmetric"]?.bool()
        defaults.unsignedSymmetric = try members["unsigned_symmetric"]?.bool()
        defaults.perChannelQuantization = try members["per_channel_quantization"]?.bool()
        if let cursor = members["supported_kernels"] {
            defaults.supportedKernels = try supportedKernels(cursor, parameterIsRequired: true)
        }
        defaults.hardwareVersion = try members["hw_version"]?.string()
        return defaults
    }

    private static func parameterRules(_ cursor: ConfigCursor) throws(SimulationError) -> [String: ParameterRule] {
        var rules: [String: ParameterRule] = [:]
        for (kind, rule) in try cursor.members() { rules[kind] = try parameterRule(rule) }
        return rules
    }

    private static func parameterRule(_ cursor: ConfigCursor) throws(SimulationError) -> ParameterRule {
        let members = try cursor.members(["is_quantized", "is_symmetric"])
        return ParameterRule(
            isQuantized: try members["is_quantized"]?.bool(), isSymmetric: try members["is_symmetric"]?.bool())
    }

    private static func opTypeRules(_ cursor: ConfigCursor) throws(SimulationError) -> [String: OpTypeRule] {
        var rules: [String: OpTypeRule] = [:]
        for (opType, rule) in try cursor.members() { rules[opType] = try opTypeRule(rule) }
        return rules
    }

    private static func opTypeRule(_ cursor: ConfigCursor) throws(SimulationError) -> OpTypeRule {
        let members = try cursor.members([
            "is_input_quantized", "is_output_quantized", "is_symmetric", "params", "supported_kernels",
            "per_channel_quantization", "encoding_constraints",
        ])
        var rule = OpTypeRule()
        rule.isInputQuantized = try trueOrAbsent(members["is_input_quantized"])
        rule.isOutputQuantized = try members["is_output_quantized"]?.bool()
        rule.isSymmetric = try members["is_symmetric"]?.bool()
        if let cursor = members["params"] { rule.parameters = try parameterRules(cursor) }
        if let cursor = members["supported_kernels"] {
            rule.supportedKernels = try supportedKernels(cursor, parameterIsRequired: false)
        }
        rule.perChannelQuantization = try members["per_channel_quantization"]?.bool()
        if let cursor = members["encoding_constraints"] { rule.constraints = try constraints(cursor) }
        return rule
    }

    private static func constraints(_ cursor: ConfigCursor) throws(SimulationError) -> EncodingConstraints {
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
    private static func trueOrAbsent(_ cursor: ConfigCursor?) throws(SimulationError) -> Bool? {
        guard let cursor else { return nil }
        guard try cursor.bool() else { throw cursor.error(.unsupportedSetting, expected: "\"True\"") }
        return true
    }

    private static func supportedKernels(
        _ cursor: ConfigCursor, parameterIsRequired: Bool
    ) throws(SimulationError) -> [SupportedKernel] {
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

    private static func precision(_ cursor: ConfigCursor) throws(SimulationError) -> SupportedKernel.Precision {
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

    private static func supergroups(_ cursor: ConfigCursor) throws(SimulationError) -> [[String]] {
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

    private static func supergroupPasses(_ cursor: ConfigCursor) throws(SimulationError) -> [String] {
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
