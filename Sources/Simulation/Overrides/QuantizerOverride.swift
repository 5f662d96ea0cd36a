import Quantization

/// What a user wants of quantizers, whatever the config and the target say. What is nil stays as it is.
public struct QuantizerOverride: Equatable, Sendable, Codable {
    /// Whether the tensor is rounded at all.
    public var enabled: Bool?
    /// What a bit width asks for is integers.
    public var dataType: DataType?
    /// 2 to 16.
    public var bitwidth: Int?
    /// Whether the grid is centered at zero.
    public var symmetric: Bool?
    /// True makes the quantizer symmetric too, as does `unsignedSymmetric`.
    public var strictSymmetric: Bool?
    /// True lets a symmetric grid of values that are never negative begin at zero.
    public var unsignedSymmetric: Bool?
    /// How the range is chosen from what was observed.
    public var scheme: Scheme.Name?
    /// What the scheme `percentile` is set to, in percent.
    public var percentile: Double?
    /// One encoding per output channel, or one; of parameters.
    public var perChannel: Bool?
    /// Input channels that have an encoding together, for each output channel; of parameters whose number of input channels it
    /// divides.
    public var blockSize: Int?
    /// Both ends, in place of those that are observed or computed.
    public var range: EncodingConstraints?

    /// The keys of the job file.
    public enum CodingKeys: String, CodingKey, CaseIterable, Sendable {
        case enabled
        case dataType = "dtype"
        case bitwidth, symmetric
        case strictSymmetric = "strict_symmetric"
        case unsignedSymmetric = "unsigned_symmetric"
        case scheme, percentile
        case perChannel = "per_channel"
        case blockSize = "block_size"
        case range

        /// What only grids of integers have.
        public static let ofIntegers: [CodingKeys] = allCases.filter { $0 != .enabled && $0 != .dataType }
    }

    /// One that changes nothing.
    public init() {}

    /// What it changes of a quantizer, and of all that share it. (`enabled`, `perChannel` and `blockSize` concern one tensor
    /// alone.)
    var sharedChanges: [PlacementStep.Change] {
        var changes: [PlacementStep.Change] = []
        if let dataType { changes.append(.dataType(dataType)) }
        if let bitwidth { changes.append(.bitwidth(bitwidth)) }
        let isCentered = strictSymmetric == true || unsignedSymmetric == true
        if let symmetric = symmetric ?? (isCentered ? true : nil) { changes.append(.symmetric(symmetric)) }
        if let strictSymmetric { changes.append(.strictSymmetric(strictSymmetric)) }
        if let unsignedSymmetric { changes.append(.unsignedSymmetric(unsignedSymmetric)) }
        if let scheme {
            changes.append(.scheme(Scheme(scheme, percentile: percentile ?? Scheme.defaultPercentile)))
        }
        if let range { changes.append(.constraints(range)) }
        return changes
    }
}

/// Mixed precision by hand: an entry of `overrides` in a job.
public enum PlacementOverride: Equatable, Sendable {
    /// Tensors by name or pattern.
    case tensors([String], QuantizerOverride)
    /// What belongs to nodes of these op types.
    case ops([String], NodeOverride)
    /// What belongs to nodes by name or pattern.
    case nodes([String], NodeOverride)

    /// The keys by which a job file selects tensors.
    public enum Selector: String, CodingKey, CaseIterable, Sendable {
        case tensors, ops, nodes
    }

    /// What a user wants of the quantizers around a node. Where several of them hit one tensor, the latter wins.
    public struct NodeOverride: Equatable, Sendable, Codable {
        /// Quantizers whose grids the inputs are on, parameters apart.
        public var inputs: QuantizerOverride?
        /// Quantizers of the tensors that the node makes.
        public var outputs: QuantizerOverride?
        /// Quantizers of the node's weights, biases and the like.
        public var parameters: QuantizerOverride?

        /// The keys of the job file.
        public enum CodingKeys: String, CodingKey, CaseIterable, Sendable {
            case inputs, outputs, parameters
        }

        public init(
            inputs: QuantizerOverride? = nil, outputs: QuantizerOverride? = nil, parameters: QuantizerOverride? = nil
        ) {
            self.inputs = inputs
            self.outputs = outputs
            self.parameters = parameters
        }
    }
}

/// Written as in the job file: the selector, and beside it what is wanted.
extension PlacementOverride: Codable {
    /// - Throws: `DecodingError` where no selector is there.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: Selector.self)
        if let names = try container.decodeIfPresent([String].self, forKey: .tensors) {
            self = .tensors(names, try QuantizerOverride(from: decoder))
        } else if let types = try container.decodeIfPresent([String].self, forKey: .ops) {
            self = .ops(types, try NodeOverride(from: decoder))
        } else {
            self = .nodes(try container.decode([String].self, forKey: .nodes), try NodeOverride(from: decoder))
        }
    }

    /// The selector first, then what is wanted.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: Selector.self)
        switch self {
        case .tensors(let names, let settings):
            try container.encode(names, forKey: .tensors)
            try settings.encode(to: encoder)
        case .ops(let types, let settings):
            try container.encode(types, forKey: .ops)
            try settings.encode(to: encoder)
        case .nodes(let names, let settings):
            try container.encode(names, forKey: .nodes)
            try settings.encode(to: encoder)
        }
    }
}
