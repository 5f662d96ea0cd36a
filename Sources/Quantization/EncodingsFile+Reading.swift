import Foundation

extension EncodingsFile {
    /// Reads a file of any version. Keys that are not known are passed over.
    /// - Parameter file: what errors call the file.
    /// - Throws: `QuantizationError` naming the file, the place in it, what was expected and what was found.
    public static func read(_ data: Data, file: String) throws(QuantizationError) -> EncodingsFile {
        let document: JSONValue
        do {
            document = try JSONValue.parse(data)
        } catch {
            throw QuantizationError(.malformed, file: file, expected: "JSON")
        }
        let root = JSONCursor(value: document, file: file, path: "")
        let versionText = try root.required("version").string()
        guard let version = Version(rawValue: versionText) else {
            let known = Version.allCases.map(\.rawValue).joined(separator: ", ")
            throw QuantizationError(
                .unsupportedVersion, file: file, key: "version", expected: known, found: versionText)
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
    ) throws(QuantizationError) -> [String: TensorEncodings] {
        var tensors: [String: TensorEncodings] = [:]
        switch version {
        case .v0_6_1:
            for (name, value) in try cursor.members() {
                if try value.elements().count == 1, try isFloat16(value.elements()[0], bits: "bitwidth", float: "float")
                {
                    tensors[name] = .float16
                    continue
                }
                var encodings: [Encoding] = []
                for channel in try value.elements() { encodings.append(try channelEncoding(channel)) }
                guard !encodings.isEmpty else { throw value.error(expected: "at least one encoding") }
                tensors[name] = TensorEncodings(encodings: encodings)
            }
        case .v1_0_0, .v2_0_0:
            for entry in try cursor.elements() {
                let name = try entry.required("name")
                let encodings = try version == .v1_0_0 ? tensorEncodings(entry) : onnxEncodings(entry)
                guard let encodings else { continue }
                guard tensors.updateValue(encodings, forKey: try name.string()) == nil else {
                    throw name.error(expected: "each name once")
                }
            }
        }
        return tensors
    }

    /// Whether an entry is of half precision. Entries of other floats are refused where integers are read.
    private static func isFloat16(
        _ cursor: JSONCursor, bits: String, float: String
    ) throws(QuantizationError) -> Bool {
        guard let type = try cursor.optional("dtype"), try type.string() == float else { return false }
        return try cursor.required(bits).integer(in: 1...32) == 16
    }

    /// One channel in 0.6.1.
    private static func channelEncoding(_ cursor: JSONCursor) throws(QuantizationError) -> Encoding {
        if let type = try cursor.optional("dtype"), try type.string() != "int" {
            throw type.error(.unsupportedEncoding, expected: "\"int\"")
        }
        let bitwidth = try cursor.required("bitwidth").integer(in: 2...32)
        let scale = try cursor.required("scale")
        let encoding = Encoding(
            bitwidth: bitwidth, min: try cursor.required("min").number(), max: try cursor.required("max").number(),
            delta: try positive(scale), offset: try offset(cursor.required("offset"), bitwidth),
            symmetric: try cursor.required("is_symmetric").bool())
        let steps = ((encoding.max - encoding.min) / encoding.delta).rounded()
        guard steps >= 1, steps <= Double((1 << bitwidth) - 1) else {
            throw scale.error(expected: "a range of 1 to \((1 << bitwidth) - 1) steps from min to max")
        }
        return encoding
    }

    /// One tensor in 1.0.0.
    private static func tensorEncodings(_ cursor: JSONCursor) throws(QuantizationError) -> TensorEncodings {
        if try isFloat16(cursor, bits: "bw", float: "FLOAT") { return .float16 }
        let type = try cursor.required("dtype")
        guard try type.string() == "INT" else { throw type.error(.unsupportedEncoding, expected: "\"INT\"") }
        let kind = try cursor.required("enc_type")
        let isPerTensor: Bool
        var blockSize: Int?
        switch try kind.string() {
        case "PER_TENSOR": isPerTensor = true
        case "PER_CHANNEL": isPerTensor = false
        case "PER_BLOCK":
            isPerTensor = false
            blockSize = try cursor.required("block_size").integer(in: 1...Int(Int32.max))
        default:
            throw kind.error(
                .unsupportedEncoding, expected: "\"PER_TENSOR\", \"PER_CHANNEL\" or \"PER_BLOCK\"")
        }
        let bitwidth = try cursor.required("bw").integer(in: 2...32)
        let symmetric = try cursor.required("is_sym").bool()
        let scaleList = try cursor.required("scale")
        let scales = try scaleList.elements()
        let offsetList = try cursor.required("offset")
        let offsets = try offsetList.elements()
        guard !scales.isEmpty, !isPerTensor || scales.count == 1 else {
            throw scaleList.error(.lengthMismatch, expected: isPerTensor ? "one scale" : "at least one scale")
        }
        guard offsets.count == scales.count else {
            throw offsetList.error(.lengthMismatch, expected: "a list of \(scales.count)")
        }
        var encodings: [Encoding] = []
        for (scale, offset) in zip(scales, offsets) {
            let integer = try Self.offset(offset, bitwidth)
            encodings.append(
                grid(bitwidth: bitwidth, delta: try positive(scale), offset: integer, symmetric: symmetric))
        }
        return TensorEncodings(
            encodings: encodings,
            blocks: blockSize.map { TensorEncodings.Blocks(size: $0, axis: nil, shape: [encodings.count]) })
    }

    /// The grid of versions that do not give its ends. A strict symmetric one is told by its offset: it lacks the point that
    /// has no opposite.
    static func grid(bitwidth: Int, delta: Double, offset: Int, symmetric: Bool) -> Encoding {
        let isStrict = symmetric && offset == 1 - 1 << (bitwidth - 1)
        return Encoding(
            bitwidth: bitwidth, delta: delta, offset: offset, steps: (1 << bitwidth) - (isStrict ? 2 : 1),
            symmetric: symmetric)
    }

    static func positive(_ cursor: JSONCursor) throws(QuantizationError) -> Double {
        let number = try cursor.number()
        guard Float(number).isNormal, number > 0 else { throw cursor.error(expected: "a positive number") }
        return number
    }

    private static func offset(_ cursor: JSONCursor, _ bitwidth: Int) throws(QuantizationError) -> Int {
        try cursor.integer(in: 1 - 1 << bitwidth...0)
    }

    private static func quantizerArguments(_ cursor: JSONCursor?) throws(QuantizationError) -> QuantizerArguments? {
        guard let cursor else { return nil }
        return QuantizerArguments(
            activationBitwidth: try cursor.required("activation_bitwidth").integer(in: 1...32),
            parameterBitwidth: try cursor.required("param_bitwidth").integer(in: 1...32),
            isSymmetric: try cursor.required("is_symmetric").bool(),
            perChannelQuantization: try cursor.required("per_channel_quantization").bool(),
            scheme: try cursor.required("quant_scheme").string())
    }

    private static func producer(_ cursor: JSONCursor?) throws(QuantizationError) -> Producer {
        guard let cursor else { return Producer(package: "", version: "") }
        return Producer(
            package: try cursor.required("package").string(), version: try cursor.required("version").string())
    }
}
