import Foundation
import Tensors
import TestSupport
import Testing

@testable import Datasets

/// Which samples are taken where a source has more than are wanted.
@Suite struct SampleSelectionTests {
    @Test(arguments: [(10, 1), (10, 9), (1000, 7), (1_281_167, 500), (1 << 40, 100)])
    func placesAreSpread(total: Int, count: Int) {
        let places = (0..<count).map { SampleSelection(total: total, count: count, seed: 3)[$0] }
        #expect(places == places.sorted() && Set(places).count == count)
        for (number, place) in places.enumerated() {
            // One in each of equal stretches.
            #expect(Double(place) >= Double(number) * Double(total) / Double(count) - 1)
            #expect(Double(place) <= Double(number + 1) * Double(total) / Double(count))
        }
        #expect(places == (0..<count).map { SampleSelection(total: total, count: count, seed: 3)[$0] })
        if count > 9 { #expect(places != (0..<count).map { SampleSelection(total: total, count: count, seed: 4)[$0] }) }
    }

    /// Two files of rows: the stream, its skips and the index agree on what is taken.
    @Test func streamAndIndexAgree() throws {
        let scratch = try ScratchFolder()
        for (file, rows) in [("a", 30), ("b", 70)] {
            let start = file == "a" ? 0 : 30
            try NPZ.write(
                [
                    ("x", Tensor(shape: [rows, 1], (0..<rows).map { Float(start + $0) })),
                    ("labels", Tensor(shape: [rows], (0..<rows).map { Int64((start + $0) / 10) })),
                ], to: scratch.url.appendingPathComponent(file + ".npz"))
        }
        func source(_ order: SampleOrder, limit: Int? = 20) throws -> DatasetSource {
            try DatasetSource(path: "*.npz", relativeTo: scratch.url, limit: limit, order: order)
        }
        let spread = try source(.spread(seed: 1))
        #expect(try spread.count() == 20 && spread.total() == 100)
        let stream = try spread.open()
        var taken: [Sample] = []
        while let sample = try stream.next() { taken.append(sample) }
        let index = try SampleIndex(spread)
        let access = index.open()
        #expect(index.count == 20 && taken.count == 20)
        #expect(try (0..<20).map { try access.sample(at: $0) } == taken)
        // Of each ten, which are a class, two.
        #expect(Dictionary(grouping: taken, by: \.label).values.allSatisfy { $0.count == 2 })
        let skipping = try spread.open()
        #expect(try skipping.skip(5) == 5)
        #expect(try skipping.next() == taken[5])
        #expect(try skipping.skip(100) == 14)
        #expect(try skipping.next() == nil)
        var first: [Sample] = []
        let beginning = try source(.first).open()
        while let sample = try beginning.next() { first.append(sample) }
        #expect(Set(first.map(\.label)) == [0, 1])
        #expect(try SampleIndex(source(.spread(seed: 1), limit: nil)).count == 100)
    }

    /// Names with dots, which are cut at the first one, and other files are no samples, and counted.
    @Test func whatIsNoSampleIsCounted() throws {
        let scratch = try ScratchFolder()
        var tar = TarBuilder()
        for (name, text) in [
            ("a.cls", "1"), ("a.jpg", "x"), ("b.v2.png", "x"), ("b.v2.cls", "2"), ("c.json", "{}"), ("readme", ""),
        ] { tar.add(name, text) }
        try scratch.write(tar.finished(), to: "a.tar")
        let source = try DatasetSource(path: "a.tar", relativeTo: scratch.url)
        #expect(try source.passedOver() == [".v2.png": 1, ".v2.cls": 1, ".json": 1, "no extension": 1])
        #expect(try source.count() == 1)
    }

    /// Other data under the same names and sizes has another digest.
    @Test func contentDigest() throws {
        let scratch = try ScratchFolder()
        func digest() throws -> String {
            try DatasetSource(path: "*.npz", relativeTo: scratch.url).contentDigest().description
        }
        func write(_ change: Float) throws {
            var elements = [Float](repeating: 0, count: 200_000)
            for place in stride(from: 0, to: elements.count, by: 1000) { elements[place] = change }
            try NPZ.write(
                [("x", Tensor(shape: [200, 1000], elements))], to: scratch.url.appendingPathComponent("a.npz"))
        }
        try write(1)
        let one = try digest()
        try write(1)
        #expect(try digest() == one)
        try write(2)
        #expect(try digest() != one)
    }
}
