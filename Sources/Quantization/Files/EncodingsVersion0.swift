import Support

/// Entries of version 0.6.1: a list of channels by the tensor's name, each with the ends of its grid.
enum EncodingsVersion0 {
    private static let float16Entry = JSONValue.object(["bitwidth": .integer(16), "dtype": .string("float")])

    /// The entry of one tensor.
    static func entry(_ tensor: TensorEncodings) -> JSONValue {
        .array(tensor.dataType == .int ? tensor.encodings.map(entry) : [float16Entry])
    }

    /// The encodings of one entry, whose channels are along an axis that it does not tell.
    static func encodings(_ cursor: JSONCursor) throws(JSONError) -> TensorEncodings {
        let channels = try cursor.elements()
        if channels.count == 1, try channels[0].isFloat16(bits: "bitwidth", float: "float") { return .float16 }
        var encodings: [Encoding] = []
        for channel in channels { encodings.append(try self.channel(channel)) }
        guard !encodings.isEmpty else { throw cursor.error(expected: "at least one encoding") }
        return TensorEncodings(encodings: encodings)
    }

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

    private static func channel(_ cursor: JSONCursor) throws(JSONError) -> Encoding {
        let type = try cursor.required("dtype")
        guard try type.string() == "int" else { throw type.error(.unsupported, expected: "\"int\"") }
        let bitwidth = try cursor.required("bitwidth").integer(in: 2...32)
        let scale = try cursor.required("scale")
        let least = try cursor.required("min")
        let encoding = Encoding(
            bitwidth: bitwidth, min: try least.number(), max: try cursor.required("max").number(),
            delta: try scale.scale(), offset: try cursor.required("offset").gridOffset(bitwidth: bitwidth),
            symmetric: try cursor.required("is_symmetric").bool())
        let steps = ((encoding.max - encoding.min) / encoding.delta).rounded()
        guard steps >= 1, steps <= Double((1 << bitwidth) - 1) else {
            throw scale.error(expected: "a range of 1 to \((1 << bitwidth) - 1) steps from min to max")
        }
        // Half a step off, and what a writer in single precision rounds away.
        let product = encoding.delta * Double(encoding.offset)
        guard abs(encoding.min - product) <= encoding.delta / 2 + abs(product) * 0x1p-22 else {
            throw least.error(expected: "scale times offset, \(product)")
        }
        guard Double(-encoding.offset) <= steps + 0.5 else {
            throw least.error(expected: "a range that holds zero; this one ends at \(encoding.max)")
        }
        return encoding
    }
}
