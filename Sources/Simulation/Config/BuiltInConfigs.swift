extension SimulationConfig {
    /// Names of the configs that need no file.
    public static let builtInNames =
        ["default", "default_per_channel"] + HexagonTarget.allCases.map { "htp_\($0.rawValue.lowercased())" }

    /// The config that a job names instead of a file; nil where there is none of this name.
    ///
    /// - `default`: AIMET's default_config.json. Activations asymmetric, parameters symmetric with one encoding per
    ///   tensor, biases not quantized, an activation function fused with the op before it. (aimet-onnx 2.42, given no
    ///   config or the name `default`, takes the per-channel one.)
    /// - `default_per_channel`: the same with one encoding per output channel for Conv, ConvTranspose, Gemm, MatMul and
    ///   PRelu: default_config_per_channel.json.
    /// - `htp_v66` to `htp_v85`: what the Hexagon tensor processors of these versions do.
    public static func named(_ name: String) -> SimulationConfig? {
        switch name {
        case "default": perTensor
        case "default_per_channel": perChannel
        default: HexagonTarget.allCases.first { "htp_\($0.rawValue.lowercased())" == name }.map(hexagon)
        }
    }

    /// What all built-in configs have in common.
    private static var common: SimulationConfig {
        var config = SimulationConfig()
        config.defaults.isOutputQuantized = true
        config.defaults.parameters = ParameterRule(isQuantized: true, isSymmetric: true)
        config.defaults.strictSymmetric = false
        config.defaults.perChannelQuantization = false
        config.parameters["bias"] = ParameterRule(isQuantized: false)
        config.setParameter("running_mean", of: "BatchNormalization", to: ParameterRule(isQuantized: false))
        config.setParameter("running_var", of: "BatchNormalization", to: ParameterRule(isQuantized: false))
        config.opTypes["Cast", default: OpTypeRule()].isOutputQuantized = false
        config.isModelInputQuantized = true
        return config
    }

    private static var perTensor: SimulationConfig {
        var config = common
        config.supergroups = [
            ["Conv", "Relu"], ["ConvTranspose", "Relu"], ["Conv", "Clip"], ["Add", "Relu"], ["Gemm", "Relu"],
        ]
        config.supergroupPasses = ["MatmulAdd"]
        return config
    }

    private static var perChannel: SimulationConfig {
        var config = perTensor
        config.quantizePerChannel(["Conv", "ConvTranspose", "Gemm", "MatMul", "PRelu"])
        return config
    }

    /// Versions of the Hexagon tensor processor; those from V73 on differ in nothing but their name.
    private enum HexagonTarget: String, CaseIterable {
        case v66 = "V66"
        case v68 = "V68"
        case v69 = "V69"
        case v73 = "V73"
        case v75 = "V75"
        case v79 = "V79"
        case v81 = "V81"
        case v85 = "V85"
    }

    private static func hexagon(_ target: HexagonTarget) -> SimulationConfig {
        var config = common
        config.defaults.hardwareVersion = target.rawValue
        config.defaults.unsignedSymmetric = false
        for opType in ["ChannelShuffle", "Gather", "NonMaxSuppression"] {
            config.opTypes[opType, default: OpTypeRule()].isOutputQuantized = false
        }
        for opType in ["Sin", "Cos", "Tanh"] { config.constrain(opType, min: -1, max: 1) }
        config.constrain("Relu", min: 0)
        config.setParameter("weight", of: "LayerNormalization", to: ParameterRule(isSymmetric: false))
        config.supergroups = [["ConvTranspose", "Relu"], ["Add", "Relu"], ["Gemm", "Relu"]]
        guard target != .v66 else {
            config.opTypes["Flatten", default: OpTypeRule()].isOutputQuantized = false
            return config
        }
        config.quantizePerChannel(["Conv", "ConvTranspose", "PRelu"])
        config.setParameter("weight", of: "InstanceNormalization", to: ParameterRule(isSymmetric: false))
        config.setParameter("weight", of: "RMSNormalization", to: ParameterRule(isSymmetric: false))
        config.supergroupPasses = ["LayerNormalization", "RMSNormalization", "MatmulAdd"]
        guard target != .v68 else { return config }
        config.quantizePerChannel(["Gemm", "MatMul"])
        guard target != .v69 else { return config }
        for opType in ["Sigmoid", "Softmax"] { config.constrain(opType, min: 0, max: 1) }
        config.setParameter("bias", of: "GroupNormalization", to: ParameterRule(isQuantized: true))
        for activation in ["Relu", "PRelu", "LeakyRelu"] {
            config.supergroups += [
                ["Conv", activation], ["Conv", "BatchNormalization", activation], ["Conv", "Transpose", activation],
            ]
        }
        config.supergroups += [["Conv", "Clip"], ["Conv", "BatchNormalization", "HardSwish"]]
        return config
    }

    private mutating func quantizePerChannel(_ names: [String]) {
        for name in names { opTypes[name, default: OpTypeRule()].perChannelQuantization = true }
    }

    private mutating func constrain(_ opType: String, min: Double, max: Double? = nil) {
        opTypes[opType, default: OpTypeRule()].constraints = EncodingConstraints(min: min, max: max)
    }

    private mutating func setParameter(_ kind: String, of opType: String, to rule: ParameterRule) {
        opTypes[opType, default: OpTypeRule()].parameters[kind] = rule
    }
}
