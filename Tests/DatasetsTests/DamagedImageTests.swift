import Datasets
import Foundation
import TestSupport
import Testing

/// An image that is not whole, or whose checksums are wrong, is a bad sample.
@Suite struct DamagedImageTests {
    private static let images = [
        "bits.png", "gray.png", "gray_alpha.png", "palette.png", "palette_transparent.png", "rgb.png", "rgba.png",
        "gray.jpg", "progressive.jpg", "rgb_420.jpg", "rgb_422.jpg", "rgb_444.jpg",
    ]

    private static func image(_ name: String) throws -> Data {
        try Data(contentsOf: goldenFolder("Datasets").appendingPathComponent(name))
    }

    private func expectRefused(_ image: Data, by decoder: ImageDecoder, _ what: String) {
        let error = #expect(throws: DatasetError.self, "\(what)") { try decoder.pixels(of: image) }
        #expect(error?.isBadSample == true, "\(what): \(String(describing: error))")
    }

    @Test(arguments: images) func `no part of an image passes for the whole`(name: String) throws {
        let decoder = ImageDecoder()
        let whole = try Self.image(name)
        for count in whole.indices {
            expectRefused(whole.prefix(count), by: decoder, "\(count) of \(whole.count) bytes")
        }
        // Some writers pad files.
        #expect(try decoder.pixels(of: whole + Data(count: 3)) == decoder.pixels(of: whole))
    }

    @Test func `no byte of a PNG can change`() throws {
        let decoder = ImageDecoder()
        let whole = try Self.image("rgb.png")
        for place in whole.indices {
            for bit in [0, 5] as [UInt8] {
                var damaged = whole
                damaged[place] ^= 1 << bit
                expectRefused(damaged, by: decoder, "bit \(bit) of byte \(place)")
            }
        }
    }

    /// With chunks that are sound in themselves. Where but the last bytes of the compressed pixels are missing, which are
    /// their own checksum, nothing is lost that the chunk's checksum would not have told, and spng decodes.
    @Test func `compressed pixels are whole and have their checksum`() throws {
        let decoder = ImageDecoder()
        let whole = try Self.image("rgb.png")
        let name = try #require(whole.range(of: Data("IDAT".utf8)))
        let length = whole[name.lowerBound - 4..<name.lowerBound].reduce(0) { $0 << 8 | Int($1) }
        let pixels = whole[name.upperBound..<name.upperBound + length]
        func image(_ pixels: Data) -> Data {
            let size = withUnsafeBytes(of: UInt32(pixels.count).bigEndian) { Data($0) }
            return RepairedPNG.repairing(
                whole[..<(name.lowerBound - 4)] + size + Data("IDAT".utf8) + pixels
                    + whole[(name.upperBound + length)...])
        }
        #expect(image(pixels) == whole)
        for missing in 6...length {
            expectRefused(image(pixels.dropLast(missing)), by: decoder, "\(missing) bytes less")
        }
        for place in 1...4 {
            var damaged = pixels
            damaged[damaged.endIndex - place] ^= 1
            expectRefused(image(damaged), by: decoder, "byte \(place) of the checksum")
        }
    }
}
