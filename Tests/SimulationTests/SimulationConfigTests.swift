import Foundation
import Simulation
import Testing

@Suite struct SimulationConfigTests {
    static func parse(_ text: String) throws -> SimulationConfig {
        try SimulationConfig(json: Data(text.utf8), file: "c.json")
    }

    /// A config with the given members in place of the empty sections.
    static func config(
        defaults: String = #"{"ops": {}, "params": {}}"#, params: String = "{}", opType: String = "{}",
        supergroups: String = "[]", modelInput: String = "{}", modelOutput: String = "{}", more: String = ""
    ) -> String {
        #"{"defaults": \#(defaults), "params": \#(params), "op_type": \#(opType), "supergroups": \#(supergroups), "#
            + #""model_input": \#(modelInput), "model_output": \#(modelOutput)\#(more)}"#
    }

    @Test func everySettingIsRead() throws {
        let config = try Self.parse(
            Self.config(
                defaults: """
                    {"ops": {"is_output_quantized": "True", "is_symmetric": "False"},
                     "params": {"is_quantized": "True", "is_symmetric": "True"}, "strict_symmetric": "True",
                     "unsigned_symmetric": "False", "per_channel_quantization": "True", "hw_version": "V73",
                     "supported_kernels": [{"activation": {"bitwidth": 8, "dtype": "int"},
                                            "param": {"bitwidth": 16, "dtype": "float"}}]}
                    """,
                params: #"{"bias": {"is_quantized": "False"}}"#,
                opType: """
                    {"Relu": {"is_input_quantized": "True", "is_output_quantized": "False", "is_symmetric": "True",
                              "encoding_constraints": {"min": 0, "max": 6.5}, "per_channel_quantization": "False",
                              "params": {"weight": {"is_symmetric": "False"}},
                              "supported_kernels": [{"activation": {"bitwidth": 4, "dtype": "int"}}]}}
                    """,
                supergroups: #"[{"op_list": ["Conv", "Relu"]}]"#, modelInput: #"{"is_input_quantized": "True"}"#,
                modelOutput: #"{"is_output_quantized": "True"}"#, more: #", "supergroup_pass_list": ["MatmulAdd"]"#))
        #expect(config.defaults.isOutputQuantized == true && config.defaults.isSymmetric == false)
        #expect(config.defaults.parameters == .init(isQuantized: true, isSymmetric: true))
        #expect(config.defaults.strictSymmetric == true && config.defaults.unsignedSymmetric == false)
        #expect(config.defaults.perChannelQuantization == true && config.defaults.hardwareVersion == "V73")
        #expect(config.defaults.supportedKernels.first?.activation.bitwidth == 8)
        #expect(config.defaults.supportedKernels.first?.parameter?.isFloat == true)
        #expect(config.parameters["bias"]?.isQuantized == false)
        let relu = try #require(config.opTypes["Relu"])
        #expect(relu.isInputQuantized == true && relu.isOutputQuantized == false && relu.isSymmetric == true)
        #expect(relu.constraints == EncodingConstraints(min: 0, max: 6.5))
        #expect(relu.perChannelQuantization == false && relu.parameters["weight"]?.isSymmetric == false)
        #expect(relu.supportedKernels.first?.parameter == nil)
        #expect(config.supergroups == [["Conv", "Relu"]] && config.supergroupPasses == ["MatmulAdd"])
        #expect(config.isModelInputQuantized == true && config.isModelOutputQuantized == true)
    }

    static let bad: [(text: String, code: SimulationError.Code, path: String?)] = [
        ("", .malformed, nil),
        ("[]", .invalidValue, ""),
        ("{}", .missingKey, "defaults"),
        (config(more: #", "extra": 1"#), .unknownKey, "extra"),
        (config(defaults: "{}"), .missingKey, "defaults.ops"),
        (config(defaults: #"{"ops": {}, "params": {"bias": {}}}"#), .unknownKey, "defaults.params.bias"),
        (
            config(defaults: #"{"ops": {"is_output_quantized": true}, "params": {}}"#), .invalidValue,
            "defaults.ops.is_output_quantized"
        ),
        (
            config(defaults: #"{"ops": {"is_output_quantized": "False"}, "params": {}}"#), .unsupportedSetting,
            "defaults.ops.is_output_quantized"
        ),
        (
            config(defaults: #"{"ops": {"is_input_quantized": "True"}, "params": {}}"#), .unsupportedSetting,
            "defaults.ops.is_input_quantized"
        ),
        (config(params: #"{"bias": {"is_quantised": "True"}}"#), .unknownKey, "params.bias.is_quantised"),
        (config(opType: #"{"Relu": 1}"#), .invalidValue, "op_type.Relu"),
        (
            config(opType: #"{"Relu": {"is_input_quantized": "False"}}"#), .unsupportedSetting,
            "op_type.Relu.is_input_quantized"
        ),
        (
            config(opType: #"{"Relu": {"encoding_constraints": {"max": 1}}}"#), .missingKey,
            "op_type.Relu.encoding_constraints.min"
        ),
        (
            config(opType: #"{"Relu": {"encoding_constraints": {"min": -1e300, "max": 1e300}}}"#), .invalidValue,
            "op_type.Relu.encoding_constraints"
        ),
        (
            config(opType: #"{"Relu": {"encoding_constraints": {"min": 2, "max": 1}}}"#), .invalidValue,
            "op_type.Relu.encoding_constraints"
        ),
        (
            config(opType: #"{"Relu": {"supported_kernels": [{"activation": {"bitwidth": 5, "dtype": "int"}}]}}"#),
            .invalidValue, "op_type.Relu.supported_kernels[0].activation.bitwidth"
        ),
        (
            config(opType: #"{"Relu": {"supported_kernels": [{"activation": {"bitwidth": 8, "dtype": "float"}}]}}"#),
            .invalidValue, "op_type.Relu.supported_kernels[0].activation.bitwidth"
        ),
        (config(supergroups: #"[{"op_list": ["Conv"]}]"#), .invalidValue, "supergroups[0].op_list"),
        (config(supergroups: #"[{"op_list": ["Conv", 1]}]"#), .invalidValue, "supergroups[0].op_list[1]"),
        (
            config(modelInput: #"{"is_input_quantized": "False"}"#), .unsupportedSetting,
            "model_input.is_input_quantized"
        ),
        (config(more: #", "supergroup_pass_list": ["MatMulAdd"]"#), .invalidValue, "supergroup_pass_list[0]"),
    ]

    @Test(arguments: bad.indices) func whatIsWrongIsNamed(index: Int) {
        let item = Self.bad[index]
        let error = #expect(throws: SimulationError.self) { try Self.parse(item.text) }
        #expect(error?.code == item.code && error?.path == item.path && error?.file == "c.json", "\(item.text)")
    }

    @Test func builtInConfigsAreKnownByName() throws {
        let perTensor = try #require(SimulationConfig.named("default"))
        #expect(perTensor.defaults.perChannelQuantization == false && perTensor.opTypes["Conv"] == nil)
        let perChannel = try #require(SimulationConfig.named("default_per_channel"))
        #expect(perChannel.opTypes["Conv"]?.perChannelQuantization == true)
        #expect(SimulationConfig.named("htp_v99") == nil)
        #expect(SimulationConfig.builtInNames.count == 10)
        for name in SimulationConfig.builtInNames {
            let config = try #require(SimulationConfig.named(name))
            let version = config.defaults.hardwareVersion?.lowercased()
            #expect(name.hasPrefix("default") ? version == nil : name == "htp_\(version ?? "")")
        }
    }
}
