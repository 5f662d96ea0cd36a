import Foundation
import Tensors

/// Decodes images, keeping the codecs' handles and the memory for pixels from one image to the next. Not `Sendable`:
/// each thread has its own.
public final class ImageDecoder {
    private var jpeg: JPEGDecoder?
    /// The image decoded last.
    var image = RGBImage()
    var resampler = BilinearResampler()
    /// The pixels of the image augmented last; the array may be longer.
    var augmented: [UInt8] = []
    var normalization: NormalizationTable?

    /// Without buffers; they come with the first images and stay.
    public init() {}

    /// The pixels of a JPEG or PNG image, as [height, width, 3] of uint8 in the order red, green, blue.
    /// - Throws: `DatasetError` for a bad sample, without file and key.
    public func pixels(of data: Data) throws -> Tensor {
        try decode(data)
        return Tensor(shape: [image.height, image.width, 3]) { (target: UnsafeMutableBufferPointer<UInt8>) in
            _ = target.update(fromContentsOf: image.pixels.prefix(target.count))
        }
    }

    /// Decodes into `image`. The format is told by the first bytes; an orientation in the metadata is not applied.
    func decode(_ data: Data) throws {
        try data.withUnsafeBytes { bytes in
            if JPEGDecoder.recognizes(bytes) {
                // A decompressor that met an error in a header can take the rest of it for a part of the next image
                // (libjpeg-turbo 2.1 does), so only one that succeeded is kept.
                let decoder = try jpeg ?? JPEGDecoder()
                jpeg = nil
                try decoder.decode(bytes, into: &image)
                jpeg = decoder
            } else if PNGDecoder.recognizes(bytes) {
                try PNGDecoder.decode(bytes, into: &image)
            } else {
                let start = bytes.prefix(8).map { ($0 < 16 ? "0" : "") + String($0, radix: 16) }.joined()
                throw DatasetError(.unsupportedImage, expected: "JPEG, PNG", found: start)
            }
        }
    }
}

/// Pixels of three bytes: red, green, blue. [height, width, 3]
struct RGBImage {
    private(set) var width = 0
    private(set) var height = 0
    /// At least 3 * width * height bytes; more when a larger image was here before.
    var pixels: [UInt8] = []

    /// Makes room for an image of this size; the pixels are then to be written.
    /// - Throws: `DatasetError(.sampleTooLarge)` beyond the limit, before anything is allocated.
    mutating func resize(width: Int, height: Int) throws {
        guard width > 0 && height > 0 else {
            throw DatasetError(.corruptImage, expected: "> 0 pixels", found: "\(width)x\(height)")
        }
        guard height <= SampleLimits.pixels / width else {
            throw DatasetError(
                .sampleTooLarge, expected: "\(SampleLimits.pixels) pixels", found: "\(width)x\(height) pixels")
        }
        self.width = width
        self.height = height
        let byteCount = 3 * width * height
        if pixels.count < byteCount { pixels = [UInt8](repeating: 0, count: byteCount) }
    }

    /// Keeps the middle of the image, in place; of an odd number of pixels that go, the odd one goes below or to the right.
    /// - Parameters: pixels, at most as many as there are.
    mutating func crop(height: Int, width: Int) {
        guard height != self.height || width != self.width else { return }
        let (top, left, old) = ((self.height - height) / 2, (self.width - width) / 2, self.width)
        pixels.withUnsafeMutableBufferPointer { pixels in
            guard let start = pixels.baseAddress else { return }
            // Rows only move towards the beginning, each behind the one before.
            for row in 0..<height {
                (start + 3 * row * width).update(from: start + 3 * ((row + top) * old + left), count: 3 * width)
            }
        }
        (self.width, self.height) = (width, height)
    }
}
