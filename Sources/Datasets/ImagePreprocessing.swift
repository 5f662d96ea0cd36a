import Foundation

/// How an image becomes the input of a network: decoded to RGB, brought to a size, pixels / 255, minus the mean, over
/// the standard deviation, planes of red, green and blue.
///
/// Each step of the arithmetic is rounded to float32 on its own, in the order `(Float(p) / 255 - mean) / std`, which
/// gives the same bits as numpy's `(p.astype(float32) / 255 - mean) / std` with float32 mean and std.
public struct ImagePreprocessing: Codable, Equatable, Sendable {
    /// Extents of 1 to 32,768 pixels.
    public let sizing: ImageSizing
    /// Of red, green and blue in [0, 1]; finite.
    public let mean: [Float]
    /// Of red, green and blue in [0, 1]; finite and positive.
    public let std: [Float]

    /// - Throws: `DatasetError(.invalidPreprocessing)` that names the setting.
    public init(_ sizing: ImageSizing, mean: [Float], std: [Float]) throws {
        try sizing.check()
        guard mean.count == 3, mean.allSatisfy(\.isFinite) else {
            throw DatasetError(.invalidPreprocessing, key: "mean", expected: "3 finite numbers", found: "\(mean)")
        }
        guard std.count == 3, std.allSatisfy({ $0.isFinite && $0 > 0 }) else {
            throw DatasetError(.invalidPreprocessing, key: "std", expected: "3 positive numbers", found: "\(std)")
        }
        self.sizing = sizing
        self.mean = mean
        self.std = std
    }

    /// Images that are stretched to one size.
    public init(height: Int, width: Int, mean: [Float], std: [Float]) throws {
        try self.init(.stretched(height: height, width: width), mean: mean, std: std)
    }

    /// - Throws: `DecodingError`, or as the other initializers for values out of range.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(
            values.decode(ImageSizing.self, forKey: .sizing), mean: values.decode([Float].self, forKey: .mean),
            std: values.decode([Float].self, forKey: .std))
    }

    /// The image of a sample, decoded and brought to its size, as the thread's decoder holds it.
    public struct SizedImage {
        /// Pixels.
        public let size: ImageSizing.PixelSize
        fileprivate let isResampled: Bool
    }

    /// Decodes an image and brings it to its size. `write` must follow before the decoder has another.
    /// - Parameters:
    ///   - image: the bytes of a JPEG or PNG file.
    ///   - decoder: the calling thread's own.
    /// - Throws: `DatasetError` for a bad sample, without file and key.
    public func open(_ image: Data, using decoder: ImageDecoder) throws -> SizedImage {
        try decoder.decode(image)
        let own = ImageSizing.PixelSize(height: decoder.image.height, width: decoder.image.width)
        let size = try sizing.size(of: own)
        if case .kept = sizing {
            decoder.image.crop(height: size.height, width: size.width)
        } else if size != own {
            decoder.resampler.resize(decoder.image, width: size.width, height: size.height)
            return SizedImage(size: size, isResampled: true)
        }
        return SizedImage(size: size, isResampled: false)
    }

    /// Decodes the image of a sample and brings it to its size.
    /// - Throws: `DatasetError` for a bad sample, with file and key; `.missingContent` when the sample holds no image.
    public func open(_ sample: Sample, using decoder: ImageDecoder) throws -> SizedImage {
        guard case .image(let data) = sample.content else {
            throw DatasetError(
                .missingContent, file: sample.source, key: sample.key, expected: "image", found: "arrays")
        }
        do {
            return try open(data, using: decoder)
        } catch let error as DatasetError {
            throw error.at(file: sample.source, key: sample.key)
        }
    }

    /// Writes an image that `open` gave, normalized.
    /// - Parameters:
    ///   - output: [3, height, width]; all elements are written.
    ///   - decoder: that opened it.
    ///   - choice: what augmentation does to the image; nil for nothing.
    public func write(
        _ image: SizedImage, into output: UnsafeMutableBufferPointer<Float>, using decoder: ImageDecoder,
        augmentedBy choice: Augmentation.Choice? = nil
    ) {
        let (height, width) = (image.size.height, image.size.width)
        precondition(output.count == image.size.elementCount, "\(output.count) elements for [3, \(height), \(width)]")
        if decoder.normalization?.matches(self) != true { decoder.normalization = NormalizationTable(self) }
        let table = decoder.normalization ?? NormalizationTable(self)
        let pixels = image.isResampled ? decoder.resampler.pixels : decoder.image.pixels
        guard let choice else {
            table.apply(pixels, into: output)
            return
        }
        if decoder.augmented.count < 3 * width * height {
            decoder.augmented = [UInt8](repeating: 0, count: 3 * width * height)
        }
        decoder.augmented.withUnsafeMutableBufferPointer { augmented in
            pixels.withUnsafeBufferPointer { pixels in
                guard let from = pixels.baseAddress, let to = augmented.baseAddress else { return }
                choice.apply(from, width: width, height: height, into: to)
            }
        }
        table.apply(decoder.augmented, into: output)
    }

    /// Decodes and preprocesses an image that is stretched to one size.
    /// - Parameters:
    ///   - output: [3, height, width]; all elements are written unless an error is thrown.
    /// - Throws: `DatasetError` for a bad sample, without file and key.
    public func decode(
        _ image: Data, into output: UnsafeMutableBufferPointer<Float>, using decoder: ImageDecoder = ImageDecoder(),
        augmentedBy choice: Augmentation.Choice? = nil
    ) throws {
        write(try open(image, using: decoder), into: output, using: decoder, augmentedBy: choice)
    }
}

/// What each of the 256 values of a pixel becomes in each channel.
struct NormalizationTable {
    private let mean: [Float]
    private let std: [Float]
    /// [3, 256]
    private let values: [Float]

    init(_ preprocessing: ImagePreprocessing) {
        mean = preprocessing.mean
        std = preprocessing.std
        values = zip(mean, std).flatMap { mean, std in
            (0..<256).map { (Float($0) / 255 - mean) / std }
        }
    }

    func matches(_ preprocessing: ImagePreprocessing) -> Bool {
        mean == preprocessing.mean && std == preprocessing.std
    }

    /// Spreads pixels [pixel, 3] over planes [3, pixel].
    func apply(_ pixels: [UInt8], into output: UnsafeMutableBufferPointer<Float>) {
        let count = output.count / 3
        pixels.withUnsafeBufferPointer { pixels in
            values.withUnsafeBufferPointer { values in
                for pixel in 0..<count {
                    output[pixel] = values[Int(pixels[3 * pixel])]
                    output[count + pixel] = values[256 + Int(pixels[3 * pixel + 1])]
                    output[2 * count + pixel] = values[512 + Int(pixels[3 * pixel + 2])]
                }
            }
        }
    }
}
