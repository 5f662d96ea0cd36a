extension SimulationConfig {
    /// The config that a job names instead of a file; nil where there is none of this name.
    ///
    /// - `default`: AIMET's default_config.json. Activations asymmetric, parameters symmetric with one encoding per
    ///   tensor, biases not quantized, an activation function fused with the op before it. (aimet-onnx 2.42, given no
    ///   config or the name `default`, takes the per-channel one.)
    /// - `default_per_channel`: the same with one encoding per output channel for Conv, ConvTranspose, Gemm, MatMul and
    ///   PRelu: default_config_per_channel.json.
    public static func named(_ name: String) -> SimulationConfig? {
        switch name {
        case "default": perTensor
        case "default_per_channel": perChannel
        default: nil
        }
    }

    private static var perTensor: SimulationConfig {
        var config = SimulationConfig()
        config.defaults.isOutputQuantized = true
        config.defaults.parameters = ParameterRule(isQuantized: true, isSymmetric: true)
        config.defaults.strictSymmetric = false
        config.defaults.perChannelQuantization = false
        config.parameters["bias"] = ParameterRule(isQuantized: false)
        var batchNormalization = OpTypeRule()
        batchNormalization.parameters["running_mean"] = ParameterRule(isQuantized: false)
        batchNormalization.parameters["running_var"] = ParameterRule(isQuantized: false)
        config.opTypes["BatchNormalization"] = batchNormalization
        var cast = OpTypeRule()
        cast.isOutputQuantized = false
        config.opTypes["Cast"] = cast
        config.supergroups = [
            ["Conv", "Relu"], ["ConvTranspose", "Relu"], ["Conv", "Clip"], ["Add", "Relu"], ["Gemm", "Relu"],
        ]
        config.supergroupPasses = ["MatmulAdd"]
        config.isModelInputQuantized = true
        return config
    }

    private static var perChannel: SimulationConfig {
        var config = perTensor
        for opType in ["Conv", "ConvTranspose", "Gemm", "MatMul", "PRelu"] {
            config.opTypes[opType, default: OpTypeRule()].perChannelQuantization = true
        }
        return config
    }
}
