import Foundation

extension EncodingsFile {
    /// The file's bytes. Equal contents give equal bytes: tensors and keys are sorted, numbers have the fewest digits that
    /// are read as the same number.
    ///
    /// Version 2.0.0 carries all tensors in one list, and axes, which must be known; of the other versions `tensors` must be
    /// empty.
    public func write(version: Version) -> Data {
        var root: [String: JSONValue] = [
            "producer": .object(["package": .string(producer.package), "version": .string(producer.version)]),
            "version": .string(version.rawValue),
        ]
        if version == .v2_0_0 {
            let all = tensors.merging(activations) { $1 }.merging(parameters) { $1 }
            root["encodings"] = Self.section(all, version)
            return Data(JSONText.document(.object(root)).utf8)
        }
        precondition(tensors.isEmpty, "only a graph tells what is a parameter")
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
            return .object(tensors.mapValues { .array($0.encodings.map(entry)) })
        case .v1_0_0, .v2_0_0:
            let sorted = tensors.sorted { $0.key.unicodeScalars.lexicographicallyPrecedes($1.key.unicodeScalars) }
            return .array(sorted.map { version == .v1_0_0 ? entry($0.key, $0.value) : onnxEntry($0.key, $0.value) })
        }
    }

    /// One channel in 0.6.1.
    private static func entry(_ encoding: Encoding) -> JSONValue {
        .object([
            "bitwidth": .integer(encoding.bitwidth),
            "dtype": .string("int"),
            "is_symmetric": .string(encoding.symmetric ? "True" : "False"),
            "max": .number(encoding.max),
            "min": .number(encoding.min),
            "offset": .number(Double(encoding.offset)),
            "scale": .number(encoding.delta),
        ])
    }

    /// One tensor in 1.0.0. All channels have one bitwidth and symmetry there.
    private static func entry(_ name: String, _ tensor: TensorEncodings) -> JSONValue {
        let isPerChannel = tensor.axis != nil || tensor.encodings.count != 1
        return .object([
            "bw": .integer(tensor.encodings.first?.bitwidth ?? 0),
            "dtype": .string("INT"),
            "enc_type": .string(isPerChannel ? "PER_CHANNEL" : "PER_TENSOR"),
            "is_sym": .bool(tensor.encodings.first?.symmetric ?? false),
            "name": .string(name),
            "offset": .array(tensor.encodings.map { .number(Double($0.offset)) }),
            "scale": .array(tensor.encodings.map { .number($0.delta) }),
        ])
    }
}
