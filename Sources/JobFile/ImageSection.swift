import Datasets

// The key `dataset.image`: what images become before they enter the model.
extension JobFile {
    /// What images become before they enter the model.
    public struct Image: Equatable, Sendable, Encodable {
        /// Pixels: height, width; `keep`; or buckets.
        public var sizing: ImageSizing
        /// Per channel (red, green, blue), of pixels divided by 255.
        public var mean: [Double]
        /// Per channel, above 0; of pixels divided by 255.
        public var std: [Double]

        enum CodingKeys: String, CodingKey, CaseIterable {
            case size, mean, std
            case multipleOf = "multiple_of"
        }

        /// The keys of a size that is a mapping.
        enum SizeKeys: String, CodingKey, CaseIterable {
            case buckets
        }

        /// The word for images that keep their size.
        enum SizeWord: String, CaseIterable, Encodable {
            case keep
        }

        /// In the keys of the job file.
        public func encode(to encoder: any Encoder) throws {
            var container = encoder.container(keyedBy: CodingKeys.self)
            try container.encode(mean, forKey: .mean)
            try container.encode(std, forKey: .std)
            switch sizing {
            case .stretched(let height, let width): try container.encode([height, width], forKey: .size)
            case .kept(let multiple):
                try container.encode(SizeWord.keep, forKey: .size)
                try container.encode(multiple, forKey: .multipleOf)
            case .buckets(let sizes):
                var nested = container.nestedContainer(keyedBy: SizeKeys.self, forKey: .size)
                try nested.encode(sizes.map { [$0.height, $0.width] }, forKey: .buckets)
            }
        }
    }
}

extension JobFile.Image {
    /// Size, mean and std are required: preprocessing that differs from the model's training spoils accuracy without an error.
    init(_ value: YAMLValue) throws {
        let section = try YAMLSection(value, keys: CodingKeys.self)
        sizing = try Self.sizing(section.required(.size))
        if let multiple = section[.multipleOf] {
            guard case .kept = sizing else {
                throw multiple.error(.conflictingKeys, expected: "size: keep, which it is for")
            }
            sizing = .kept(multipleOf: try multiple.integer(in: 1...4096))
        }
        mean = try section.required(.mean).list(count: 3, of: "numbers (red, green, blue)").map { try $0.number() }
        std = try section.required(.std).list(count: 3, of: "numbers (red, green, blue)").map {
            try $0.number("a number above 0") { $0 > 0 }
        }
    }

    private static func sizing(_ value: YAMLValue) throws -> ImageSizing {
        switch value.kind {
        case .text:
            _ = try value.choice(of: SizeWord.self)
            return .kept(multipleOf: 1)
        case .mapping:
            let buckets = try YAMLSection(value, keys: SizeKeys.self).required(.buckets)
            let sizes = try buckets.list(of: "sizes (height, width)").map(size)
            guard (1...256).contains(sizes.count), Set(sizes).count == sizes.count else {
                throw buckets.error(.outOfRange, expected: "1 to 256 different sizes", found: "\(sizes.count)")
            }
            return .buckets(sizes)
        default:
            let size = try size(value)
            return .stretched(height: size.height, width: size.width)
        }
    }

    private static func size(_ value: YAMLValue) throws -> ImageSizing.PixelSize {
        let extents = try value.list(count: 2, of: "pixel counts (height, width)").map {
            try $0.integer(in: 1...16_384)
        }
        return ImageSizing.PixelSize(height: extents[0], width: extents[1])
    }
}
