/// The size that an image gets before it enters a network.
public enum ImageSizing: Codable, Equatable, Sendable {
    /// Stretched to one size, whatever the image's own. Pixels.
    case stretched(height: Int, width: Int)
    /// Its own, where both extents are multiples of a number; else what is over is cut off, half of it (rounded down) above and to
    /// the left: the pixels that stay are the image's own.
    case kept(multipleOf: Int)
    /// Stretched to the bucket whose aspect ratio is nearest to the image's, of equally near ones to the first.
    case buckets([PixelSize])

    /// Pixels of a kept image: its input of float32 takes 192 MB.
    static let keptPixels = 1 << 24
    private static let maximumExtent = 1 << 15

    /// Height and width in pixels.
    public struct PixelSize: Codable, Hashable, Sendable {
        /// Pixels.
        public var height: Int
        /// Pixels.
        public var width: Int

        public init(height: Int, width: Int) {
            (self.height, self.width) = (height, width)
        }

        /// Elements of an input of this size: 3 * height * width.
        public var elementCount: Int { 3 * height * width }
    }

    /// The sizes that images can come to; nil where an image may have any.
    public var sizes: [PixelSize]? {
        switch self {
        case .stretched(let height, let width): [PixelSize(height: height, width: width)]
        case .kept: nil
        case .buckets(let sizes): sizes
        }
    }

    /// What an image of a size comes to.
    /// - Throws: `DatasetError` for an image that is too large or too small to be kept, without file and key.
    public func size(of image: PixelSize) throws -> PixelSize {
        switch self {
        case .stretched(let height, let width): return PixelSize(height: height, width: width)
        case .buckets(let sizes):
            var best = sizes[0]
            for size in sizes.dropFirst() where Self.isNearer(size, than: best, to: image) { best = size }
            return best
        case .kept(let multiple):
            let kept = PixelSize(
                height: image.height / multiple * multiple, width: image.width / multiple * multiple)
            guard kept.height > 0, kept.width > 0 else {
                throw DatasetError(
                    .unsupportedImage, expected: "at least \(multiple) pixels in height and width, as multiple_of says",
                    found: "\(image.width)x\(image.height)")
            }
            guard kept.height <= Self.keptPixels / kept.width else {
                throw DatasetError(
                    .sampleTooLarge, expected: "at most \(Self.keptPixels) pixels where images keep their size",
                    found: "\(image.width)x\(image.height)")
            }
            return kept
        }
    }

    /// Whether a size's aspect ratio is nearer to an image's: the quotient of the two ratios, the greater over the less, is less.
    /// In whole numbers, so that no rounding decides.
    private static func isNearer(_ size: PixelSize, than other: PixelSize, to image: PixelSize) -> Bool {
        func quotient(_ size: PixelSize) -> (greater: Int, less: Int) {
            let (a, b) = (image.width * size.height, image.height * size.width)
            return (max(a, b), min(a, b))
        }
        let (own, others) = (quotient(size), quotient(other))
        let left = own.greater.multipliedFullWidth(by: others.less)
        let right = others.greater.multipliedFullWidth(by: own.less)
        return (left.high, left.low) < (right.high, right.low)
    }

    /// - Throws: `DatasetError(.invalidPreprocessing)` that names the setting.
    func check() throws {
        if case .kept(let multiple) = self, !(1...Self.maximumExtent).contains(multiple) {
            throw DatasetError(
                .invalidPreprocessing, key: "multiple_of", expected: "1 to \(Self.maximumExtent)", found: "\(multiple)")
        }
        guard let sizes else { return }
        guard !sizes.isEmpty else {
            throw DatasetError(.invalidPreprocessing, key: "buckets", expected: "at least one size", found: "none")
        }
        for size in sizes {
            for (name, extent) in [("height", size.height), ("width", size.width)]
            where !(1...Self.maximumExtent).contains(extent) {
                throw DatasetError(
                    .invalidPreprocessing, key: name, expected: "1 to \(Self.maximumExtent)", found: "\(extent)")
            }
            guard size.height * size.width <= SampleLimits.pixels else {
                throw DatasetError(
                    .invalidPreprocessing, key: "size", expected: "<= \(SampleLimits.pixels) pixels",
                    found: "\(size.height)x\(size.width)")
            }
        }
    }
}
