import Support

/// Entries of version 2.0.0, which say a grid as ONNX does: `real = (q - y_zero_point) * y_scale` with `q` of the integer
/// type `output_dtype`. Symmetric encodings have a signed type: their zero point is 0, and -1 where they are strict; all
/// others have an unsigned type and the zero point `-offset`. Zero points that are all 0 are left out.
enum EncodingsVersion2 {
    /// The entry of one tensor.
    static func entry(_ name: String, _ tensor: TensorEncodings) -> JSONValue {
        let isPerChannel = tensor.axis != nil
        precondition(
            isPerChannel || tensor.encodings.count == 1, "\(name) has channels along an axis that is not known")
        let bitwidth = tensor.encodings.first?.bitwidth ?? 0
        let isSigned = tensor.encodings.first?.symmetric ?? false
        let zeroPoints = tensor.encodings.map { -$0.offset - (isSigned ? 1 << (bitwidth - 1) : 0) }
        func value(_ list: [JSONValue]) -> JSONValue {
            if let grids = tensor.blockGrids { return nested(list[...], grids[...]) }
            return isPerChannel ? .array(list) : list[0]
        }
        var members: [String: JSONValue] = [
            "name": .string(name),
            "output_dtype": .string((isSigned ? "int" : "uint") + "\(bitwidth)"),
            "y_scale": value(tensor.encodings.map { .number($0.delta) }),
        ]
        if let axis = tensor.blocks?.axis ?? tensor.axis { members["axis"] = .integer(axis) }
        if let blocks = tensor.blocks { members["block_size"] = .integer(blocks.size) }
        if zeroPoints.contains(where: { $0 != 0 }) { members["y_zero_point"] = value(zeroPoints.map { .integer($0) }) }
        return .object(members)
    }

    /// The encodings of one entry; nil for 32 bits: biases, whose grids follow from those of input and weight.
    static func encodings(_ cursor: JSONCursor) throws(JSONError) -> TensorEncodings? {
        let type = try cursor.required("output_dtype")
        let typeName = try type.string()
        let isSigned = !typeName.hasPrefix("u")
        let bits = typeName.dropFirst(isSigned ? 3 : 4)
        guard typeName == (isSigned ? "int" : "uint") + bits, let bitwidth = Int(bits), (2...32).contains(bitwidth)
        else {
            throw type.error(.unsupported, expected: "an integer type, int2 to int32 or uint2 to uint32")
        }
        if bitwidth == 32 { return nil }
        for key in ["per_block_int_scale", "per_channel_float_scale"] {
            if let blocks = try cursor.optional(key), blocks.value != .null {
                throw blocks.error(.unsupported, expected: "no blocks of integer scales")
            }
        }
        let scaleValue = try cursor.required("y_scale")
        let (scales, shape) = try values(scaleValue)
        let blockSize = try blockSize(cursor)
        guard (shape.count > 1) == (blockSize != nil) else {
            throw scaleValue.error(
                .unsupported, expected: blockSize == nil ? "a list of numbers" : "lists of lists of numbers")
        }
        let zeroPointValue = try cursor.optional("y_zero_point")
        let zeroPoints = try zeroPointValue.map { cursor throws(JSONError) in try values(cursor).elements }
        guard !scales.isEmpty else { throw scaleValue.error(.lengthMismatch, expected: "at least one scale") }
        if let zeroPointValue, let zeroPoints, zeroPoints.count != scales.count {
            throw zeroPointValue.error(.lengthMismatch, expected: "a list of \(scales.count)")
        }
        // As far as an axis can be right without a graph.
        let axis = try cursor.optional("axis").map { cursor throws(JSONError) in
            try cursor.integer(in: -64...63)
        }
        guard (scales.count == 1 && blockSize == nil) || axis != nil else {
            throw cursor.missing("axis")
        }
        let half = isSigned ? 1 << (bitwidth - 1) : 0
        var encodings: [Encoding] = []
        for (index, scale) in scales.enumerated() {
            let zeroPoint = try zeroPoints?[index].integer(in: -half...(1 << bitwidth) - 1 - half) ?? 0
            encodings.append(
                Encoding(
                    bitwidth: bitwidth, delta: try scale.scale(), offset: -zeroPoint - half, symmetric: isSigned))
        }
        return TensorEncodings(
            encodings: encodings, axis: shape.isEmpty ? nil : axis,
            blocks: blockSize.map { Blocks(axis: axis, size: $0) }, blockGrids: blockSize.map { _ in shape })
    }

    private static func blockSize(_ cursor: JSONCursor) throws(JSONError) -> Int? {
        guard let size = try cursor.optional("block_size"), size.value != .null else { return nil }
        return try size.integer(in: 1...Int(Int32.max))
    }

    /// A list as lists of lists.
    private static func nested(_ list: ArraySlice<JSONValue>, _ shape: ArraySlice<Int>) -> JSONValue {
        guard let count = shape.first, shape.count > 1, count > 0 else { return .array(Array(list)) }
        let length = list.count / count
        return .array(
            (0..<count).map { index in
                let start = list.startIndex + index * length
                return nested(list[start..<start + length], shape.dropFirst())
            })
    }

    /// A number, a list of numbers, or lists of lists of one length.
    /// - Returns: the numbers in order, and how many there are along each axis.
    private static func values(
        _ cursor: JSONCursor
    ) throws(JSONError) -> (elements: [JSONCursor], shape: [Int]) {
        guard case .array = cursor.value else { return ([cursor], []) }
        let items = try cursor.elements()
        var all: [JSONCursor] = []
        var inner: [Int]?
        for item in items {
            let (elements, shape) = try values(item)
            guard inner == nil || inner == shape else {
                throw item.error(.lengthMismatch, expected: "as many elements as the one before")
            }
            inner = shape
            all += elements
        }
        return (all, [items.count] + (inner ?? []))
    }
}
