import Datasets
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct AugmentationTests {
    private static let golden = goldenFolder("Datasets")

    private static func decode(
        _ preprocessing: ImagePreprocessing, _ choice: Augmentation.Choice?, _ decoder: ImageDecoder
    ) throws -> [Float] {
        let image = try Data(contentsOf: golden.appendingPathComponent("rgb_444.jpg"))
        var output = [Float](repeating: .nan, count: try #require(preprocessing.sizing.sizes?.first).elementCount)
        try output.withUnsafeMutableBufferPointer {
            try preprocessing.decode(image, into: $0, using: decoder, augmentedBy: choice)
        }
        return output
    }

    @Test func `crops and mirrored images have numpy's pixels`() throws {
        let preprocessing = try ImagePreprocessing(
            height: 29, width: 37, mean: [0.485, 0.456, 0.406], std: [0.2, 0.3, 0.4])
        let decoder = ImageDecoder()
        let expected = try NPZ.read(Self.golden.appendingPathComponent("augmented.npz"))
        #expect(expected.count == 7)
        for (name, pixels) in expected {
            let numbers = name.split(separator: "_").compactMap { Int($0) }
            let choice = Augmentation.Choice(right: numbers[1], down: numbers[0], isMirrored: numbers[2] == 1)
            let bytes = pixels.elements(as: UInt8.self)
            // Padding is a black pixel before the normalization, not a zero after it.
            var planes: [Float] = []
            for (channel, (mean, std)) in zip(preprocessing.mean, preprocessing.std).enumerated() {
                for pixel in 0..<29 * 37 { planes.append((Float(bytes[3 * pixel + channel]) / 255 - mean) / std) }
            }
            #expect(try Self.decode(preprocessing, choice, decoder) == planes, "\(name)")
        }
        // A decoder keeps nothing of it.
        let plain = try Self.decode(preprocessing, nil, decoder)
        #expect(try plain == Self.decode(preprocessing, .init(right: 0, down: 0, isMirrored: false), decoder))
    }

    @Test func `images are brought to their size first`() throws {
        let preprocessing = try ImagePreprocessing(height: 8, width: 12, mean: [0, 0, 0], std: [1, 1, 1])
        let decoder = ImageDecoder()
        let plain = try Self.decode(preprocessing, nil, decoder)
        let moved = try Self.decode(preprocessing, .init(right: 3, down: -2, isMirrored: false), decoder)
        for (channel, row, column) in [(0, 2, 0), (1, 5, 8), (2, 7, 3)] {
            #expect(moved[(channel * 8 + row) * 12 + column] == plain[(channel * 8 + row - 2) * 12 + column + 3])
        }
        #expect(moved[0..<24].allSatisfy { $0 == 0 })
        for right in [-40, -12, 12, 13, 40] {
            let away = try Self.decode(preprocessing, .init(right: right, down: 0, isMirrored: true), decoder)
            #expect(away.allSatisfy { $0 == 0 })
        }
    }

    @Test func `choices are those of the documented random numbers`() throws {
        let augmentation = Augmentation(cropPadding: 4, horizontalFlip: true)
        let text = try String(contentsOf: Self.golden.appendingPathComponent("choices.csv"), encoding: .utf8)
        let lines = text.split(separator: "\n").dropFirst()
        #expect(lines.count == 6)
        for line in lines {
            let fields = line.split(separator: ",")
            let numbers = fields.dropFirst().compactMap { Int($0) }
            let seed = try #require(UInt64(fields[0]))
            let choice = augmentation.choice(seed: seed, epoch: numbers[0], sample: numbers[1])
            #expect(choice == .init(right: numbers[3], down: numbers[2], isMirrored: numbers[4] == 1), "\(line)")
        }
    }

    @Test func `choices are uniform`() {
        let augmentation = Augmentation(cropPadding: 4, horizontalFlip: true)
        var places = [Int](repeating: 0, count: 81)
        var mirrored = 0
        for sample in 0..<8100 {
            let choice = augmentation.choice(seed: 5, epoch: 2, sample: sample)
            places[(choice.down + 4) * 9 + choice.right + 4] += 1
            mirrored += choice.isMirrored ? 1 : 0
        }
        let statistic = places.reduce(0.0) { $0 + Double(($1 - 100) * ($1 - 100)) / 100 }
        #expect(statistic < 160 && abs(mirrored - 4050) < 230)
        let nothing = Augmentation(cropPadding: 0, horizontalFlip: false).choice(seed: 1, epoch: 0, sample: 3)
        #expect(nothing == .init(right: 0, down: 0, isMirrored: false))
    }
}
