import Foundation

extension EncodingsFile {
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
            return .object(tensors.mapValues { .array($0.dataType == .int ? $0.encodings.map(entry) : [float16Entry]) })
        case .v1_0_0, .v2_0_0:
            let sorted = tensors.sorted { $0.key.unicodeScalars.lexicographicallyPrecedes($1.key.unicodeScalars) }
            return .array(sorted.map { version == .v1_0_0 ? entry($0.key, $0.value) : onnxEntry($0.key, $0.value) })
        }
    }

    private static let float16Entry = JSONValue.object(["bitwidth": .integer(16), "dtype": .string("float")])

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
        guard tensor.dataType == .int else {
            return .object([
                "bw": .integer(16), "dtype": .string("FLOAT"), "enc_type": .string("PER_TENSOR"), "name": .string(name),
            ])
        }
        if let blocks = tensor.blocks { return entry(name, tensor, in: blocks) }
        return .object(
            members(name, tensor.encodings).merging(
                ["enc_type": .string(tensor.axis != nil || tensor.encodings.count != 1 ? "PER_CHANNEL" : "PER_TENSOR")]
            ) { $1 })
    }

    private static func entry(_ name: String, _ tensor: TensorEncodings, in blocks: TensorEncodings.Blocks) -> JSONValue
    {
        .object(
            members(name, tensor.encodings.permuted(blocks.orderInVersion1)).merging([
                "enc_type": .string("PER_BLOCK"), "block_size": .integer(blocks.size),
            ]) { $1 })
    }

    private static func members(_ name: String, _ encodings: [Encoding]) -> [String: JSONValue] {
        [
            "bw": .integer(encodings.first?.bitwidth ?? 0),
            "dtype": .string("INT"),
            "is_sym": .bool(encodings.first?.symmetric ?? false),
            "name": .string(name),
            "offset": .array(encodings.map { .number(Double($0.offset)) }),
            "scale": .array(encodings.map { .number($0.delta) }),
        ]
    }
}

extension TensorEncodings {
    /// Encodings of blocks, whose axes are known now, in the order of the tensor's elements.
    /// - Parameter isVersion1: whether they lie as version 1.0.0 lists them.
    public func inElementOrder(isVersion1: Bool) -> TensorEncodings {
        guard isVersion1, let blocks else { return self }
        return replacing(encodings.unpermuted(blocks.orderInVersion1))
    }
}

extension TensorEncodings.Blocks {
    /// Where in `encodings` each one of a list of version 1.0.0 is: as they lie, but for matrices [input, output], whose lists are
    /// [output, blocks].
    var orderInVersion1: [Int] {
        let all = Array(0..<shape.reduce(1, *))
        guard shape.count == 2, axis == 0 else { return all }
        return all.map { $0 % shape[0] * shape[1] + $0 / shape[0] }
    }
}

extension Array {
    /// The elements at the given places.
    func permuted(_ places: [Int]) -> [Element] { places.map { self[$0] } }

    /// What gives this array once permuted.
    func unpermuted(_ places: [Int]) -> [Element] {
        var result = self
        for (index, place) in places.enumerated() { result[place] = self[index] }
        return result
    }
}
