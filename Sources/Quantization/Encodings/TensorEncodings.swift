/// What the target holds the values of a tensor as.
public enum DataType: String, Equatable, Hashable, Sendable, Codable, CaseIterable {
    /// Integers on the grids of encodings.
    case int
    /// IEEE half precision: no grid, and nothing to calibrate.
    case float16
}

/// The encodings of a tensor.
public struct TensorEncodings: Equatable, Sendable, Codable {
    /// One for the whole tensor, one per channel along `axis`, or one per channel and block; none for `float16`.
    public var encodings: [Encoding]
    /// The axis of the channels, from the front; nil for one encoding. Encodings files before 2.0.0 do not carry it.
    public var axis: Int?
    /// How channels are cut into blocks; nil where they are not.
    public var blocks: Blocks?
    /// Where there are blocks, the encodings along each axis of the tensor, such as [channels, blocks, 1, 1]; the list of
    /// encodings is row-major in it. A list of all where the axis of the blocks is not known.
    public let blockGrids: [Int]?
    /// What the values are on the target; there are encodings for integers alone.
    public var dataType: DataType

    /// - Parameters:
    ///   - axis: of the channels, from the front.
    ///   - blockGrids: given where there are blocks; its product is the number of encodings.
    public init(encodings: [Encoding], axis: Int? = nil, blocks: Blocks? = nil, blockGrids: [Int]? = nil) {
        precondition((blocks == nil) == (blockGrids == nil), "blocks without their grids, or grids without blocks")
        self.encodings = encodings
        self.axis = axis
        self.blocks = blocks
        self.blockGrids = blockGrids
        dataType = .int
    }

    /// One encoding for the whole tensor.
    public init(_ encoding: Encoding) {
        self.init(encodings: [encoding])
    }

    private init(_ dataType: DataType) {
        self.init(encodings: [])
        self.dataType = dataType
    }

    /// Half precision: no encodings.
    public static let float16 = TensorEncodings(.float16)

    /// Of integers, or of the floating-point type.
    public var bitwidth: Int { dataType == .float16 ? 16 : encodings.first?.bitwidth ?? 0 }

    /// The channel that an encoding is of.
    /// - Parameter index: in `encodings`.
    public func channel(ofEncoding index: Int) -> Int {
        guard let blockGrids, let axis else { return index }
        return index / blockGrids[(axis + 1)...].reduce(1, *) % blockGrids[axis]
    }

    /// The encodings of each channel: one, or one per block.
    public var ofChannels: [[Encoding]] {
        Dictionary(grouping: encodings.indices, by: channel(ofEncoding:)).sorted { $0.key < $1.key }
            .map { $0.value.map { encodings[$0] } }
    }

    /// The same with other grids.
    /// - Parameter encodings: as many as there are.
    public func replacing(_ encodings: [Encoding]) -> TensorEncodings {
        precondition(encodings.count == self.encodings.count, "\(encodings.count) in place of \(self.encodings.count)")
        var replaced = self
        replaced.encodings = encodings
        return replaced
    }

    /// The encodings of weights whose channels are multiplied; of one encoding per channel, per channel and block, or none.
    /// - Parameter scale: [channels]
    package func scaled(by scale: [Double]) -> TensorEncodings {
        replacing(encodings.enumerated().map { $1.scaled(by: scale[channel(ofEncoding: $0)]) })
    }
}
