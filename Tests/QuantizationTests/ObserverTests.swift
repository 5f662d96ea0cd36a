import Quantization
import Support
import Tensors
import Testing

func statistics(_ values: [Float], instructionSet: InstructionSet = .best) -> TensorStatistics {
    let observer = Observer(instructionSet: instructionSet)
    values.withUnsafeBufferPointer { buffer in
        if let start = buffer.baseAddress { observer.observe(start, count: buffer.count) }
    }
    return observer.statistics()
}

@Suite struct ObserverTests {
    /// Magnitudes over many orders, so that histograms are coarsened, with zeros and non-finite values among them.
    static func values(_ count: Int, _ random: inout CounterRandom) -> [Float] {
        let spread = Float(random.next() % 60)
        let center = Float(Int(random.next() % 200)) - 100
        return (0..<count).map { _ in
            switch random.next() % 20 {
            case 0: return 0
            case 1: return -0.0
            case 2:
                return [.nan, .infinity, -.infinity, .leastNonzeroMagnitude, 1e-38].randomElement(using: &random) ?? 0
            default:
                let exponent = Int(center + (random.uniform() - 0.5) * spread)
                return random.normal() * Float(sign: .plus, exponent: min(max(exponent, -148), 120), significand: 1)
            }
        }
    }

    /// The definition, one value at a time.
    static func reference(_ values: [Float]) -> (bins: [Int: UInt64], exponent: Int)? {
        let counted = values.filter { $0.isFinite && $0 != 0 }
        guard let greatest = counted.map(\.magnitude).max() else { return nil }
        let exponent = max(Int(greatest.exponent) - Histogram.resolutionBits, Histogram.leastExponent)
        var bins: [Int: UInt64] = [:]
        for value in counted {
            let magnitude = Int(
                (Double(value.magnitude) / Double(sign: .plus, exponent: exponent, significand: 1)).rounded(.down))
            bins[value < 0 ? -1 - magnitude : magnitude, default: 0] += 1
        }
        return (bins, exponent)
    }

    @Test func countsWhatTheDefinitionSays() throws {
        for seed in UInt64(0)..<100 {
            var random = CounterRandom(key: seed)
            let values = Self.values(Int(random.next() % 500), &random)
            let found = statistics(values)
            #expect(found.count == UInt64(values.count))
            #expect(found.zeroCount == UInt64(values.count { $0 == 0 }))
            #expect(found.nanCount == UInt64(values.count { $0.isNaN }))
            #expect(found.infinityCount == UInt64(values.count { $0.isInfinite }))
            #expect(found.minimum == values.filter(\.isFinite).min())
            #expect(found.maximum == values.filter(\.isFinite).max())
            let expected = Self.reference(values)
            #expect(found.histogram?.exponent == expected?.exponent, "seed \(seed)")
            if let histogram = found.histogram {
                let bins = histogram.counts.enumerated().filter { $0.element > 0 }
                    .map { (histogram.firstBin + $0.offset, $0.element) }
                #expect(Dictionary(uniqueKeysWithValues: bins) == expected?.bins, "seed \(seed)")
                #expect(histogram.counts.first != 0 && histogram.counts.last != 0)
            }
        }
    }

    /// Any split into parts, in any order, merged in any order, by any variant: the same bits.
    @Test func statisticsDependOnTheSetOfValuesAlone() {
        #if DEBUG
            let partitions: UInt64 = 400
        #else
            let partitions: UInt64 = 10_000
        #endif
        for seed in 0..<partitions {
            var random = CounterRandom(key: 99, seed)
            let values = Self.values(1 + Int(random.next() % 100), &random)
            let whole = statistics(values, instructionSet: .scalar)
            var shuffled = values
            shuffled.shuffle(using: &random)
            var parts: [TensorStatistics] = []
            var start = 0
            while start < shuffled.count {
                let end = min(start + 1 + Int(random.next() % 40), shuffled.count)
                // A part may be observed in several calls.
                let observer = Observer()
                let middle = start + Int(random.next() % UInt64(end - start + 1))
                shuffled.withUnsafeBufferPointer { buffer in
                    guard let base = buffer.baseAddress else { return }
                    observer.observe(base + start, count: middle - start)
                    observer.observe(base + middle, count: end - middle)
                }
                parts.append(observer.statistics())
                start = end
            }
            while parts.count > 1 {
                let taken = parts.remove(at: Int(random.next() % UInt64(parts.count)))
                parts[Int(random.next() % UInt64(parts.count))].merge(taken)
            }
            #expect(parts[0] == whole, "seed \(seed)")
        }
    }

    @Test func flushingLosesNothing() {
        for seed in UInt64(0)..<50 {
            var random = CounterRandom(key: 6, seed)
            let observer = Observer(instructionSet: .best, flushLimit: 60)
            var all: [Float] = []
            for _ in 0..<8 {
                let part = Self.values(Int(random.next() % 40), &random)
                part.withUnsafeBufferPointer {
                    if let start = $0.baseAddress { observer.observe(start, count: $0.count) }
                }
                all += part
                #expect(observer.statistics() == statistics(all), "seed \(seed)")
            }
        }
    }

    @Test func largeTensorsAreObservedInBlocks() {
        var random = CounterRandom(key: 5)
        let values = (0..<200_003).map { max(random.normal() * (1 + Float($0) / 50_000), 0) }
        let found = statistics(values)
        #expect(found == statistics(values, instructionSet: .scalar))
        #expect(found.histogram?.counts.reduce(0, +) == UInt64(values.count { $0 > 0 }))
    }

    @Test func paddingOfALayoutDoesNotCount() {
        let padded: [Float] = [1, 0, 2, 0, 0, 0]
        let observer = Observer()
        observer.observe(padded, count: 6, layoutZeros: 3)
        #expect(observer.statistics() == statistics([1, 0, 2]))
        observer.reset()
        observer.observe([1, 0, 2, 0], count: 4, layoutZeros: 2)
        #expect(observer.statistics() == statistics([1, 2]))
        #expect(observer.statistics().minimum == 1)
    }

    @Test func nothingIsObservedAtFirstAndAfterAReset() {
        let observer = Observer()
        #expect(observer.statistics() == TensorStatistics())
        observer.observe([1, 2, 3], count: 3)
        observer.reset()
        #expect(observer.statistics() == TensorStatistics() && observer.statistics().isEmpty)
        observer.observe([1e-30], count: 1)
        #expect(observer.statistics() == statistics([1e-30]))
    }
}
