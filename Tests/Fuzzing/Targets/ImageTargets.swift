import Datasets
import Foundation
import TestSupport

/// JPEG images. The decoder is kept from input to input, as a worker keeps it from sample to sample.
final class JPEGTarget: FuzzTarget {
    private let images = ImageCheck(end: Data([0xFF, 0xD9]))

    func run(_ input: Data) throws { try images.check(input, beginningWith: Data([0xFF, 0xD8, 0xFF])) }
}

/// PNG images, with the checksums that they have and with the right ones; see `JPEGTarget`.
final class PNGTarget: FuzzTarget {
    private let images = ImageCheck(end: Data([0, 0, 0, 0]) + Data("IEND".utf8) + Data([0xAE, 0x42, 0x60, 0x82]))

    func run(_ input: Data) throws {
        let signature = Data([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A])
        try images.check(input, beginningWith: signature)
        let repaired = RepairedPNG.repairing(input)
        if repaired != input { try images.check(repaired, beginningWith: signature) }
    }
}

private final class ImageCheck {
    private let decoder = ImageDecoder()
    private let end: Data

    init(end: Data) { self.end = end }

    /// Decodes; an image that is taken must have its end mark, and is refused without it.
    func check(_ input: Data, beginningWith signature: Data) throws {
        guard input.starts(with: signature) else { return }
        guard try pixels(of: input) else { return }
        guard let mark = input.range(of: end, options: .backwards) else {
            throw FuzzFinding("an image without an end is taken")
        }
        let cut = input.prefix(upTo: mark.lowerBound)
        if cut.range(of: end) == nil, try pixels(of: Data(cut)) {
            throw FuzzFinding("an image is taken whose end was cut off")
        }
    }

    /// Whether an image is taken.
    private func pixels(of input: Data) throws -> Bool {
        try refusing(with: DatasetError.self) { try decoder.pixels(of: input) } != nil
    }
}
