import Graph
import Quantization

/// An encodings file, of which a placement takes encodings in place of those that would be computed.
public struct EncodingsSource: Sendable {
    /// As it was read; the axes of its encodings need not be known.
    public var file: EncodingsFile
    /// What errors and rules call the file.
    public var name: String
    /// Names or patterns; all tensors of the file where nil.
    public var tensors: [String]?
    /// Training does not move them.
    public var isFrozen: Bool

    public init(_ file: EncodingsFile, name: String, tensors: [String]? = nil, isFrozen: Bool = false) {
        self.file = file
        self.name = name
        self.tensors = tensors
        self.isFrozen = isFrozen
    }
}

/// What a placement took of an encodings file.
public struct EncodingsTaken: Equatable, Sendable {
    /// What errors and rules call the file.
    public var name: String
    /// Training does not move what was taken.
    public var isFrozen: Bool
    /// Tensors of the file, sorted: whose encodings were taken; that have no quantizer, or hold biases of 32 bits, whose
    /// grids follow from input and weight; and whose quantizers the user has overridden.
    public var taken: [String] = []
    /// Tensors that have no quantizer, and biases of 32 bits.
    public var withoutQuantizer: [String] = []
    /// Tensors whose quantizers the user has overridden.
    public var overridden: [String] = []
}

extension QuantizerPlacement {
    /// Bit widths that can be simulated: finer grids are finer than float arithmetic.
    private static let bitwidths = 2...16

    /// The placement with the encodings of a file. Quantizers that take one are enabled, with the bit width and the symmetry of
    /// the file; so are all that share one with them. What the user has overridden keeps what he wants, unless `tensors`
    /// names it without a pattern.
    /// - Parameters:
    ///   - path: where in the job the file stands.
    ///   - graph: the one that the quantizers are placed on.
    /// - Throws: `QuantizationError` where the file does not fit the graph; `SimulationError`: `nothingSelected` for a name that
    ///   the file does not have or that has no quantizer, `conflictingEncodings`.
    public func taking(
        _ source: EncodingsSource, at path: String, in graph: Graph
    ) throws -> (placement: QuantizerPlacement, outcome: EncodingsTaken) {
        let (selected, named) = try Self.select(source, at: path)
        let file = try selected.resolved(against: graph, file: source.name)
        var edit = PlacementEdit(self, in: graph)
        let rule = "\(path) (\(source.name))"
        var outcome = EncodingsTaken(name: source.name, isFrozen: source.isFrozen)
        var ofGroups: [String: (tensor: String, encodings: TensorEncodings)] = [:]
        let all = file.activations.merging(file.parameters) { $1 }.sorted { $0.key < $1.key }
        for (name, encodings) in all {
            guard let quantizer = edit.quantizers[name] else {
                if let place = named[name] { throw edit.unknown(name, at: place) }
                outcome.withoutQuantizer.append(name)
                continue
            }
            if encodings.dataType == .int, encodings.encodings.allSatisfy({ $0.bitwidth == 32 }), named[name] == nil {
                outcome.withoutQuantizer.append(name)
                continue
            }
            try Self.check(encodings, of: name, in: source.name)
            let sharing = edit.sharing(name)
            if named[name] == nil, sharing.contains(where: { edit.steps[$0]?.contains(where: \.isOverride) == true }) {
                outcome.overridden.append(name)
                continue
            }
            let channels = encodings.withAxis(of: quantizer, in: graph)
            if let other = ofGroups[quantizer.group], other.encodings != channels {
                throw SimulationError(
                    .conflictingEncodings, file: source.name, path: path, tensor: name,
                    expected: "the encoding of \"\(other.tensor)\", whose quantizer it shares", found: "another")
            }
            ofGroups[quantizer.group] = (name, channels)
            edit.set(.enabled(true), of: name, by: rule)
            outcome.taken.append(name)
        }
        guard !outcome.taken.isEmpty else {
            throw SimulationError(
                .nothingSelected, path: path, expected: "encodings of quantizers that no override sets",
                found: "none in \(source.name)")
        }
        for (_, given) in ofGroups.sorted(by: { $0.key < $1.key }) {
            edit.setShared(.given(given.encodings, frozen: source.isFrozen), of: given.tensor, by: rule)
        }
        return (edit.result, outcome)
    }

    /// - Returns: the file with the selected tensors alone; and of those that are named without a pattern, where.
    private static func select(
        _ source: EncodingsSource, at path: String
    ) throws(SimulationError) -> (file: EncodingsFile, named: [String: String]) {
        guard let patterns = source.tensors else { return (source.file, [:]) }
        let known = (Array(source.file.activations.keys) + source.file.parameters.keys + source.file.tensors.keys)
            .sorted()
        var selected: Set<String> = []
        var named: [String: String] = [:]
        for (index, pattern) in patterns.enumerated() {
            let place = "\(path).tensors[\(index)]"
            let matches = NamePattern(text: pattern).matches(in: known)
            guard !matches.isEmpty else {
                throw SimulationError(
                    .nothingSelected, path: place, expected: "a tensor of \(source.name)", found: pattern,
                    candidates: known)
            }
            if matches == [pattern] { named[pattern] = place }
            selected.formUnion(matches)
        }
        var file = source.file
        file.activations = file.activations.filter { selected.contains($0.key) }
        file.parameters = file.parameters.filter { selected.contains($0.key) }
        file.tensors = file.tensors.filter { selected.contains($0.key) }
        return (file, named)
    }

    private static func check(
        _ encodings: TensorEncodings, of name: String, in file: String
    ) throws(QuantizationError) {
        if encodings.dataType == .float16 { return }
        let widths = Set(encodings.encodings.map(\.bitwidth))
        guard widths.count == 1, widths.allSatisfy(bitwidths.contains),
            Set(encodings.encodings.map(\.symmetric)).count == 1
        else {
            throw QuantizationError(
                .unsupportedEncoding, file: file, key: "tensor \"\(name)\"",
                expected: "one bit width from 2 to 16 and one symmetry",
                found: widths.sorted().map { "\($0) bits" }.joined(separator: ", "))
        }
    }
}

extension TensorEncodings {
    /// With the axis of a quantizer with channels, of which there is one: files before 2.0.0 do not tell it from one encoding
    /// for all.
    fileprivate func withAxis(of quantizer: PlacedQuantizer, in graph: Graph) -> TensorEncodings {
        guard axis == nil, encodings.count == 1, let channels = quantizer.channelAxis,
            graph.constants[quantizer.tensor]?.shape[channels] == 1
        else { return self }
        return TensorEncodings(encodings: encodings, axis: channels)
    }
}
