import Graph
import Quantization
import Simulation
import Tensors
import Testing

/// Encodings of files in place of computed ones.
@Suite struct GivenEncodingsTests {
    private static func encoding(_ max: Double, bits: Int = 8, symmetric: Bool = false) -> Encoding {
        .fromRange(min: symmetric ? -max : 0, max: max, bitwidth: bits, symmetric: symmetric)
    }

    private static let weight = TensorEncodings(
        encodings: (1...8).map { encoding(Double($0) / 8, bits: 4, symmetric: true) }, axis: 0)

    private static let file = EncodingsFile(
        activations: [
            "x": TensorEncodings(encoding(3, bits: 16)), "a/conv": TensorEncodings(encoding(5)),
            "flat": TensorEncodings(encoding(6)),
        ],
        parameters: ["a/w": weight, "a/b": TensorEncodings(encoding(1, bits: 32, symmetric: true))])

    private func take(
        _ tensors: [String]? = nil, frozen: Bool = false, after overrides: [PlacementOverride] = [],
        of file: EncodingsFile = file
    ) throws -> (placement: QuantizerPlacement, outcome: EncodingsTaken) {
        try OverridesTests.place(overrides).taking(
            EncodingsSource(file, name: "f", tensors: tensors, isFrozen: frozen), at: "encodings[0]",
            in: OverridesTests.graph)
    }

    @Test(arguments: EncodingsFile.Version.allCases)
    func filesOfEveryVersionComeOutAsTheyWentIn(_ version: EncodingsFile.Version) throws {
        var written = Self.file
        written.parameters["a/b"] = nil
        let read = try EncodingsFile.read(written.write(version: version), file: "f")
        let (placement, outcome) = try take(of: read)
        #expect(outcome.taken == ["a/conv", "a/w", "x"] && outcome.withoutQuantizer == ["flat"])
        #expect(placement.observedTensors == ["a/relu", "b/relu", "y"])
        let statistics = StatisticsSet(["a/conv": EncodingsTests.observed([-100, 100])])
        let activations = ActivationEncodings.compute(
            graph: OverridesTests.graph, placement: placement, statistics: statistics)
        #expect(
            activations["x"] == Self.file.activations["x"] && activations["a/conv"] == Self.file.activations["a/conv"])
        let parameters = ParameterEncodings.compute(graph: OverridesTests.graph, placement: placement)
        #expect(parameters["a/w"] == Self.weight && parameters["b/w"]?.encodings.first?.bitwidth == 8)
        let quantizers = Dictionary(
            uniqueKeysWithValues: (placement.activations + placement.parameters).map { ($0.tensor, $0) })
        #expect(quantizers["a/conv"]?.enabled == true && quantizers["x"]?.settings.bitwidth == 16)
        #expect(quantizers["a/w"]?.settings.bitwidth == 4 && quantizers["a/w"]?.settings.symmetric == true)
        #expect(placement.steps["x"]?.last?.rule == "encodings[0] (f)")
    }

    /// A grid's kind follows from the grid.
    @Test(arguments: [false, true], [false, true])
    func settingsFollowTheGrid(_ strict: Bool, _ unsigned: Bool) throws {
        let given = QuantizerSettings(
            bitwidth: 6, symmetric: true, strictSymmetric: strict, unsignedSymmetric: unsigned, scheme: .tf)
        let file = EncodingsFile(
            activations: ["x": TensorEncodings(given.encoding(min: 0, max: 3))], parameters: [:])
        let found = try #require(try take(of: file).placement.activations.first { $0.tensor == "x" }).settings
        // An unsigned grid is not centered, so strictness does not show.
        #expect(found.encoding(min: 0, max: 3) == given.encoding(min: 0, max: 3))
        #expect(found.bitwidth == 6 && found.symmetric && found.unsignedSymmetric == unsigned)
    }

    @Test func onlyWhatIsSelectedIsTaken() throws {
        let (placement, outcome) = try take(["a/*"], frozen: true)
        #expect(outcome.taken == ["a/conv", "a/w"] && outcome.withoutQuantizer == ["a/b"] && outcome.isFrozen)
        for quantizer in placement.activations + placement.parameters {
            #expect(quantizer.isFixed == (quantizer.given != nil || quantizer.constraints != nil))
        }
        #expect(placement.observedTensors.contains("x"))
    }

    /// Overrides win, unless the file's tensor is named.
    @Test func overridesAndFiles() throws {
        let overrides = [PlacementOverride.tensors(["a/w", "x"], OverridesTests.bits(12))]
        for patterns in [nil, ["*"]] {
            let (placement, outcome) = try take(patterns, after: overrides)
            #expect(outcome.overridden == ["a/w", "x"] && outcome.taken == ["a/conv"])
            #expect(placement.parameters.first { $0.tensor == "a/w" }?.settings.bitwidth == 12)
        }
        #expect(try take(["a/w", "*"], after: overrides).outcome.taken == ["a/conv", "a/w"])
    }

    @Test func oneOfAGroupGivesAll() throws {
        let graph = GoldenGraph(
            inputs: ["x"], outputs: ["y", "z"],
            nodes: [("Conv", ["x", "w"], ["conv"]), ("Relu", ["conv"], ["y"]), ("Sigmoid", ["conv"], ["z"])],
            constants: ["w": [8, 8, 1, 1]]
        ).graph(named: "shared")
        let placement = try OverridesTests.place([], config: "default", on: graph)
        func take(_ activations: [String: TensorEncodings]) throws -> [String: TensorEncodings] {
            let taken = try placement.taking(
                EncodingsSource(EncodingsFile(activations: activations, parameters: [:]), name: "f"),
                at: "encodings[0]",
                in: graph
            ).placement
            return ActivationEncodings.compute(graph: graph, placement: taken, statistics: StatisticsSet())
        }
        let given = TensorEncodings(Self.encoding(2))
        #expect(try take(["y": given]) == ["conv": given, "y": given])
        #expect(try take(["y": given, "conv": given]) == ["conv": given, "y": given])
        let error = try #require(throws: SimulationError.self) {
            try take(["y": given, "conv": TensorEncodings(Self.encoding(3))])
        }
        #expect(error.code == .conflictingEncodings && error.tensor == "y" && error.path == "encodings[0]")
    }

    @Test(arguments: [
        (["a/ww"], "encodings[0].tensors[0]", "a/ww"), (["x", "zz*"], "encodings[0].tensors[1]", "zz*"),
        (["x", "flat"], "encodings[0].tensors[1]", "flat"), (["fl*"], "encodings[0]", "none in f"),
    ])
    func whatIsNotThereIsRefused(_ tensors: [String], _ path: String, _ found: String) throws {
        let error = try #require(throws: SimulationError.self) { try take(tensors) }
        #expect(error.code == .nothingSelected && error.path == path && error.found == found)
    }

    @Test func gridsThatCannotBeSimulatedAreRefused() throws {
        let error = try #require(throws: QuantizationError.self) { try take(["a/b"]) }
        #expect(error.code == .unsupportedEncoding && error.found == "32 bits")
        var channels = Self.weight
        channels.encodings[3] = Self.encoding(1, bits: 8, symmetric: true)
        let mixed = EncodingsFile(activations: [:], parameters: ["a/w": channels])
        #expect(throws: QuantizationError.self) { try take(of: mixed) }
    }
}
