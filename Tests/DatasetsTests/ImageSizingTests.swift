import Datasets
import Foundation
import Tensors
import Testing
import TestSupport

@Suite struct ImageSizingTests {
    private typealias Size = ImageSizing.PixelSize

    @Test func theNearestAspectRatioIsTaken() throws {
        let buckets = ImageSizing.buckets([
            Size(height: 256, width: 192), Size(height: 192, width: 256), Size(height: 224, width: 224),
        ])
        let expected: [(Size, Size)] = [
            (Size(height: 640, width: 480), Size(height: 256, width: 192)),
            (Size(height: 480, width: 640), Size(height: 192, width: 256)),
            (Size(height: 11, width: 10), Size(height: 224, width: 224)),
            (Size(height: 10_000, width: 1), Size(height: 256, width: 192)),
            (Size(height: 1, width: 64_000_000), Size(height: 192, width: 256)),
        ]
        for (image, size) in expected { #expect(try buckets.size(of: image) == size, "\(image)") }
        // Equally near: one is wider by the factor that the other is higher by.
        let tie = ImageSizing.buckets([Size(height: 4, width: 2), Size(height: 2, width: 4)])
        #expect(try tie.size(of: Size(height: 7, width: 7)) == Size(height: 4, width: 2))
    }

    @Test func keptImagesAreBounded() throws {
        let kept = ImageSizing.kept(multipleOf: 32)
        #expect(try kept.size(of: Size(height: 100, width: 64)) == Size(height: 96, width: 64))
        let small = try #require(throws: DatasetError.self) { _ = try kept.size(of: Size(height: 31, width: 64)) }
        #expect(small.code == .unsupportedImage && small.found == "64x31")
        let large = try #require(throws: DatasetError.self) { _ = try kept.size(of: Size(height: 8000, width: 8000)) }
        #expect(large.code == .sampleTooLarge && large.isBadSample)
    }

    /// The middle of the image, its pixels as they are.
    @Test func multiplesAreCutOut() throws {
        let (height, width) = (7, 10)
        let image = PNGBuilder.image(height: height, width: width) { row, column in
            (UInt8(row), UInt8(column), UInt8(row * 10 + column))
        }
        let preprocessing = try ImagePreprocessing(.kept(multipleOf: 4), mean: [0, 0, 0], std: [1, 1, 1])
        let decoder = ImageDecoder()
        // A larger image before it leaves nothing behind.
        let larger = PNGBuilder.image(height: 20, width: 20) { _, _ in (255, 255, 255) }
        for data in [larger, image] {
            let sized = try preprocessing.open(data, using: decoder)
            var output = [Float](repeating: .nan, count: sized.size.elementCount)
            output.withUnsafeMutableBufferPointer { preprocessing.write(sized, into: $0, using: decoder) }
            guard data == image else { continue }
            #expect(sized.size == Size(height: 4, width: 8))
            let pixels = output.map { ($0 * 255).rounded() }
            // 3 rows and 2 columns go: one above, two below; one on each side.
            for row in 0..<4 {
                for column in 0..<8 {
                    #expect(pixels[row * 8 + column] == Float(row + 1))
                    #expect(pixels[32 + row * 8 + column] == Float(column + 1))
                }
            }
        }
    }
}
