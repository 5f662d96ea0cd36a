import Foundation

/// How an image becomes the input of a network: decoded to RGB, stretched to a size, pixels / 255, minus the mean, over
/// the standard deviation, planes of red, green and blue.
///
/// Each step of the arithmetic is rounded to float32 on its own, in the order `(Float(p) / 255 - mean) / std`, which
/// gives the same bits as numpy's `(p.astype(float32) / 255 - mean) / std` with float32 mean and std.
public struct ImagePreprocessing: Codable, Equatable, Sendable {
    /// Pixels, 1 to 32,768.
    public let height: Int
    /// Pixels, 1 to 32,768.
    public let width: Int
    /// Of red, green and blue in [0, 1]; finite.
    public let mean: [Float]
    /// Of red, green and blue in [0, 1]; finite and positive.
    public let std: [Float]

    private static let maximumExtent = 1 << 15

    /// - Throws: `DatasetError(.invalidPreprocessing)` that names the setting.
    public init(height: Int, width: Int, mean: [Float], std: [Float]) throws {
        for (name, extent) in [("height", height), ("width", width)] where !(1...Self.maximumExtent).contains(extent) {
            throw DatasetError(
                .invalidPreprocessing, key: name, expected: "1 to \(Self.maximumExtent)", found: "\(extent)")
        }
        guard height * width <= SampleLimits.pixels else {
            throw DatasetError(
                .invalidPreprocessing, key: "size", expected: "<= \(SampleLimits.pixels) pixels",
                found: "\(height)x\(width)")
        }
        guard mean.count == 3, mean.allSatisfy(\.isFinite) else {
            throw DatasetError(.invalidPreprocessing, key: "mean", expected: "3 finite numbers", found: "\(mean)")
        }
        guard std.count == 3, std.allSatisfy({ $0.isFinite && $0 > 0 }) else {
            throw DatasetError(.invalidPreprocessing, key: "std", expected: "3 positive numbers", found: "\(std)")
        }
        self.height = height
        self.width = width
        self.mean = mean
        self.std = std
    }

    /// - Throws: `DecodingError`, or as the other initializer for values out of range.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        try self.init(
            height: values.decode(Int.self, forKey: .height), width: values.decode(Int.self, forKey: .width),
            mean: values.decode([Float].self, forKey: .mean), std: values.decode([Float].self, forKey: .std))
    }

    /// Elements of the input that an image becomes: 3 * height * width.
    public var elementCount: Int { 3 * height * width }

    /// Decodes and preprocesses an image.
    /// - Parameters:
    ///   - image: the bytes of a JPEG or PNG file.
    ///   - output: [3, height, width]; all elements are written unless an error is thrown.
    ///   - decoder: the calling thread's own.
    ///   - choice: what augmentation does to the image, once it has its size; nil for nothing.
    /// - Throws: `DatasetError` for a bad sample, without file and key.
    public func decode(
        _ image: Data, into output: UnsafeMutableBufferPointer<Float>, using decoder: ImageDecoder,
        augmentedBy choice: Augmentation.Choice? = nil
    ) throws {
        precondition(output.count == elementCount, "\(output.count) elements for [3, \(height), \(width)]")
        try decoder.decode(image)
        if decoder.normalization?.matches(self) != true { decoder.normalization = NormalizationTable(self) }
        let table = decoder.normalization ?? NormalizationTable(self)
        let isSized = decoder.image.width == width && decoder.image.height == height
        if !isSized { decoder.resampler.resize(decoder.image, width: width, height: height) }
        let pixels = isSized ? decoder.image.pixels : decoder.resampler.pixels
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

    /// Decodes and preprocesses an image with a decoder of its own; a thread with many images should keep one.
    public func decode(_ image: Data, into output: UnsafeMutableBufferPointer<Float>) throws {
        try decode(image, into: output, using: ImageDecoder())
    }

    /// Decodes and preprocesses the image of a sample.
    /// - Throws: `DatasetError` for a bad sample, with file and key; `.missingContent` when the sample holds no image.
    public func decode(
        _ sample: Sample, into output: UnsafeMutableBufferPointer<Float>, using decoder: ImageDecoder,
        augmentedBy choice: Augmentation.Choice? = nil
    ) throws {
        guard case .image(let data) = sample.content else {
            throw DatasetError(
                .missingContent, file: sample.source, key: sample.key, expected: "image", found: "arrays")
        }
        do {
            try decode(data, into: output, using: decoder, augmentedBy: choice)
        } catch let error as DatasetError {
            throw error.at(file: sample.source, key: sample.key)
        }
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
