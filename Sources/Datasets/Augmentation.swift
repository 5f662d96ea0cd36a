import Tensors

/// Random changes of training images. They apply to the pixels of an image of the network's input size, before
/// normalization, in the order of torchvision's `RandomCrop(size, padding)` and `RandomHorizontalFlip()`: black pixels
/// are added on all sides, a part of the input size is cut out, and every second image is mirrored.
public struct Augmentation: Equatable, Sendable, Codable {
    /// Pixels added on each side before cropping; 0 for no crop.
    public let cropPadding: Int
    /// Whether every other image, at random, is mirrored.
    public let horizontalFlip: Bool

    /// The keys of the job file.
    package enum CodingKeys: String, CodingKey, CaseIterable {
        case cropPadding = "crop_padding"
        case horizontalFlip = "horizontal_flip"
    }

    /// Keeps these random numbers apart from others with the same seed.
    private static let purpose: UInt64 = 0x6175_676D_656E

    /// - Parameter cropPadding: 0 to 32,768.
    public init(cropPadding: Int, horizontalFlip: Bool) {
        precondition((0...32_768).contains(cropPadding), "a padding of \(cropPadding) pixels")
        self.cropPadding = cropPadding
        self.horizontalFlip = horizontalFlip
    }

    /// What happens to one image.
    public struct Choice: Equatable, Sendable {
        /// Where the image's part is cut out, in pixels right of and below the image's own corner; negative to the left
        /// and above, where the padding is.
        public var right: Int
        /// Pixels below the image's own corner; negative above.
        public var down: Int
        /// Whether left and right change places, after the cut.
        public var isMirrored: Bool

        public init(right: Int, down: Int, isMirrored: Bool) {
            self.right = right
            self.down = down
            self.isMirrored = isMirrored
        }
    }

    /// What happens to a sample's image in an epoch: the same whoever asks and whenever.
    /// - Parameter sample: its index in the dataset.
    public func choice(seed: UInt64, epoch: Int, sample: Int) -> Choice {
        var random = CounterRandom(key: Self.purpose, seed, UInt64(epoch), UInt64(sample))
        let places = UInt64(2 * cropPadding + 1)
        let down = Int(random.next().multipliedFullWidth(by: places).high) - cropPadding
        let right = Int(random.next().multipliedFullWidth(by: places).high) - cropPadding
        let isMirrored = random.next() >> 63 == 1
        return Choice(right: right, down: down, isMirrored: horizontalFlip && isMirrored)
    }
}

extension Augmentation.Choice {
    /// Writes the chosen part of an image.
    /// - Parameters:
    ///   - pixels: [height, width, 3]
    ///   - output: [height, width, 3]
    func apply(_ pixels: UnsafePointer<UInt8>, width: Int, height: Int, into output: UnsafeMutablePointer<UInt8>) {
        for row in 0..<height {
            let line = output + row * width * 3
            let sourceRow = row + down
            // Columns of the output, before mirroring, that show the image; the others are padding.
            let shown = min(max(-right, 0), width)..<min(max(width - right, 0), width)
            guard (0..<height).contains(sourceRow), !shown.isEmpty else {
                line.update(repeating: 0, count: width * 3)
                continue
            }
            for column in 0..<width {
                let target = line + (isMirrored ? width - 1 - column : column) * 3
                guard shown.contains(column) else {
                    target.update(repeating: 0, count: 3)
                    continue
                }
                target.update(from: pixels + (sourceRow * width + column + right) * 3, count: 3)
            }
        }
    }
}
