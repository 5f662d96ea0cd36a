import Tensors

/// Which samples of a source are taken where not all are.
public enum SampleOrder: Equatable, Sendable {
    /// The first ones. Of class folders these are of the first classes alone.
    case first
    /// One of each of as many equal stretches of the source, drawn from the seed: every class and every file has its part.
    case spread(seed: UInt64)
}

/// The places in a source of the samples that are taken, ascending. They follow from the numbers alone.
struct SampleSelection: Sendable {
    /// Samples of the source.
    let total: Int
    /// Samples that are taken, at most `total`.
    let count: Int
    let seed: UInt64

    /// Where the sample with this number, below `count`, lies in the source: anywhere in its stretch.
    subscript(number: Int) -> Int {
        let (start, end) = (stretch(number), stretch(number + 1))
        var random = CounterRandom(key: 0x73_616D_706C_6573 ^ seed, UInt64(number))
        return start + Int(random.next() % UInt64(end - start))
    }

    /// Where a stretch begins: `number * total / count`, in full width.
    private func stretch(_ number: Int) -> Int {
        let product = number.multipliedFullWidth(by: total)
        return count.dividingFullWidth(product).quotient
    }
}

/// The selected samples of a stream of all.
final class SelectedSamples: SampleStream {
    private let stream: any SampleStream
    private let selection: SampleSelection
    /// The number of the next selected sample, and the place of the next of all.
    private var number = 0
    private var place = 0

    init(_ stream: any SampleStream, _ selection: SampleSelection) {
        (self.stream, self.selection) = (stream, selection)
    }

    func next() throws -> Sample? {
        guard number < selection.count else { return nil }
        let wanted = selection[number]
        if wanted > place {
            guard try stream.skip(wanted - place) == wanted - place else { return nil }
            place = wanted
        }
        // A bad sample has a number as well.
        number += 1
        place += 1
        return try stream.next()
    }

    /// The samples behind are found when the next one is wanted, so all that is left counts as there.
    func skip(_ count: Int) -> Int {
        let skipped = min(count, selection.count - number)
        number += skipped
        return skipped
    }
}
