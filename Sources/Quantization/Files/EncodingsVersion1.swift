import Support

/// Entries of version 1.0.0: a list of tensors, each with the scales and offsets of its channels or blocks.
enum EncodingsVersion1 {
    /// The entry of one tensor. All channels have one bitwidth and symmetry there.
    static func entry(_ name: String, _ tensor: TensorEncodings) -> JSONValue {
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

    private static func entry(_ name: String, _ tensor: TensorEncodings, in blocks: Blocks) -> JSONValue {
        .object(
            members(name, tensor.encodings.permuted(tensor.blockOrderInVersion1)).merging([
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

    /// The encodings of one entry. Neither channels nor blocks have an axis before a graph has told it.
    static func encodings(_ cursor: JSONCursor) throws(JSONError) -> TensorEncodings {
        if try cursor.isFloat16(bits: "bw", float: "FLOAT") { return .float16 }
        let type = try cursor.required("dtype")
        guard try type.string() == "INT" else { throw type.error(.unsupported, expected: "\"INT\"") }
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
                .unsupported, expected: "\"PER_TENSOR\", \"PER_CHANNEL\" or \"PER_BLOCK\"")
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
            let integer = try offset.gridOffset(bitwidth: bitwidth)
            encodings.append(
                Encoding(bitwidth: bitwidth, delta: try scale.scale(), offset: integer, symmetric: symmetric))
        }
        return TensorEncodings(
            encodings: encodings, blocks: blockSize.map { Blocks(axis: nil, size: $0) },
            blockGrids: blockSize.map { _ in [encodings.count] })
    }
}

extension TensorEncodings {
    /// Encodings of blocks, whose axes are known now, in the order of the tensor's elements.
    /// - Parameter isVersion1: whether they lie as version 1.0.0 lists them.
    public func inElementOrder(isVersion1: Bool) -> TensorEncodings {
        isVersion1 && blocks != nil ? replacing(encodings.unpermuted(blockOrderInVersion1)) : self
    }

    /// Where in `encodings` each one of a list of version 1.0.0 is: as they lie, but for matrices [input, output], whose lists are
    /// [output, blocks].
    fileprivate var blockOrderInVersion1: [Int] {
        guard let grids = blockGrids, grids.count == 2, blocks?.axis == 0 else { return Array(encodings.indices) }
        return encodings.indices.map { $0 % grids[0] * grids[1] + $0 / grids[0] }
    }
}

extension Array {
    /// The elements at the given places.
    fileprivate func permuted(_ places: [Int]) -> [Element] { places.map { self[$0] } }

    /// What gives this array once permuted.
    fileprivate func unpermuted(_ places: [Int]) -> [Element] {
        var result = self
        for (index, place) in places.enumerated() { result[place] = self[index] }
        return result
    }
}
