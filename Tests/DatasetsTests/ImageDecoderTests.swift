import Datasets
import Foundation
import Tensors
import TestSupport
import Testing

@Suite struct ImageDecoderTests {
    private static let golden = goldenFolder("Datasets")

    private static func image(_ name: String) throws -> Data {
        try Data(contentsOf: golden.appendingPathComponent(name))
    }

    /// One decoder for all, so that nothing of an image is left in the next.
    @Test func `pixels equal Pillow's`() throws {
        let decoder = ImageDecoder()
        let expected = try NPZ.read(Self.golden.appendingPathComponent("pixels.npz"))
        #expect(expected.count == 12)
        for (name, pixels) in expected + expected.reversed() {
            #expect(try decoder.pixels(of: Self.image(name)) == pixels, "\(name)")
        }
    }

    @Test func `CMYK is refused`() throws {
        let error = try #require(throws: DatasetError.self) { try ImageDecoder().pixels(of: Self.image("cmyk.jpg")) }
        #expect(error == DatasetError(.unsupportedImage, expected: "grayscale, RGB", found: "CMYK"))
        #expect(error.isBadSample)
    }

    @Test(arguments: ["rgb_420.jpg", "progressive.jpg", "rgb.png"])
    func `an image that is cut is a bad sample`(name: String) throws {
        let decoder = ImageDecoder()
        let whole = try Self.image(name)
        let pixels = try decoder.pixels(of: whole)
        for count in Swift.stride(from: 0, to: whole.count - 2, by: 7) {
            let error = try #require(throws: DatasetError.self, "\(count) bytes") {
                try decoder.pixels(of: whole.prefix(count))
            }
            #expect(error.isBadSample && [.corruptImage, .unsupportedImage].contains(error.code))
            #expect(try decoder.pixels(of: whole) == pixels, "the decoder goes on after an error")
        }
    }

    @Test func `damaged images never trap`() throws {
        let seed: UInt64 = 41
        var random = CounterRandom(key: seed)
        let decoder = ImageDecoder()
        for name in ["rgb_420.jpg", "progressive.jpg", "gray.jpg", "rgba.png", "palette.png"] {
            let whole = try Self.image(name)
            for round in 0..<200 {
                var damaged = whole
                for _ in 0..<Int.random(in: 1...3, using: &random) {
                    damaged[Int.random(in: 0..<damaged.count, using: &random)] = UInt8.random(
                        in: 0...255, using: &random)
                }
                do {
                    _ = try decoder.pixels(of: damaged)
                } catch {
                    #expect((error as? DatasetError)?.isBadSample == true, "\(name), seed \(seed), round \(round)")
                }
            }
        }
    }

    @Test func `images over the limit are refused before they are decoded`() throws {
        // The size stands in the frame header of a JPEG (height, width) and in the first chunk of a PNG (width,
        // height).
        var jpeg = try Self.image("rgb_420.jpg")
        let frame = try #require(jpeg.firstRange(of: Data([0xFF, 0xC0]))).lowerBound
        jpeg.replaceSubrange(frame + 5..<frame + 9, with: [0xFF, 0x00, 0xFF, 0x00])
        let error = try #require(throws: DatasetError.self) { try ImageDecoder().pixels(of: jpeg) }
        #expect(error == DatasetError(.sampleTooLarge, expected: "64000000 pixels", found: "65280x65280 pixels"))
        #expect(error.isBadSample)
    }

    @Test func `other formats are refused`() throws {
        for data in [Data(), Data("GIF89a..".utf8), Data([0xFF])] {
            let error = try #require(throws: DatasetError.self) { try ImageDecoder().pixels(of: data) }
            #expect(error.code == .unsupportedImage && error.expected == "JPEG, PNG")
        }
    }
}
