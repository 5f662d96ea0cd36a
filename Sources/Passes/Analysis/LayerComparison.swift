import Execution
import Quantization

/// Compares the activations of two models of one structure, tile after tile. Only so many activations are kept at a time;
/// where there are more, the models run again for the rest.
struct LayerComparison {
    /// Elements that are kept: 32 MB.
    private static let keptElements = 8 << 20

    private let reference: ModelLane
    private let other: ModelLane
    private let quantizers: [String: FakeQuantizer]

    /// - Parameter quantizers: of the other model.
    init(reference: ModelLane, other: ModelLane, _ quantizers: [String: FakeQuantizer]) {
        self.reference = reference
        self.other = other
        self.quantizers = quantizers
    }

    /// - Parameter tiles: samples of the group that go through the models together.
    func compare(
        _ group: SampleGroup, _ tiles: ArraySlice<Range<Int>>, into layers: inout [String: NoiseStatistics]
    ) throws {
        for tile in tiles {
            var done: Set<String> = []
            while true {
                let kept = try referenceValues(group, tile, except: done)
                guard !kept.isEmpty else { break }
                try other.run(
                    group, tiles: [tile],
                    tap: { tap in
                        quantizers.apply(to: tap)
                        guard let expected = kept[tap.name] else { return }
                        layers[tap.name, default: NoiseStatistics()].add(tap, comparedWith: expected)
                    })
                done.formUnion(kept.keys)
            }
        }
    }

    private func referenceValues(
        _ group: SampleGroup, _ tile: Range<Int>, except done: Set<String>
    ) throws -> [String: (elements: [Float], layout: [UInt8])] {
        var kept: [String: (elements: [Float], layout: [UInt8])] = [:]
        var count = 0
        try reference.run(
            group, tiles: [tile],
            tap: { tap in
                guard !done.contains(tap.name), count < Self.keptElements else { return }
                kept[tap.name] = (Array(tap.elements), tap.layout)
                count += tap.elements.count
            })
        return kept
    }
}

extension NoiseStatistics {
    /// A value that lies in memory otherwise than the reference is left out: which elements belong together is not known.
    fileprivate mutating func add(_ tap: Plan.Tap, comparedWith reference: (elements: [Float], layout: [UInt8])) {
        guard tap.layout == reference.layout else { return leaveOut(tap.elements.count - tap.layoutZeros) }
        reference.elements.withUnsafeBufferPointer {
            add(UnsafeBufferPointer(tap.elements), comparedWith: $0, layoutZeros: tap.layoutZeros)
        }
    }
}
