import Datasets

// The section `dataset`: where samples come from, and what becomes of them.
extension JobFile {
    /// Where samples come from for each purpose, and how they are fed.
    public struct Dataset: Equatable, Sendable, Encodable {
        /// What ranges of activations are observed on.
        public var calibration: Source
        /// Nil where the job does not train.
        public var training: Source?
        /// Nil where the job does not evaluate.
        public var evaluation: Source?
        /// Needed where samples are images.
        public var image: Image?
        /// Samples per forward pass in a lane.
        public var batch: Int
        /// `stop` unless the file says otherwise.
        public var onBadSample: BadSamplePolicy
        /// The names of the classes, which are folders of samples, in the order of the model's outputs. Where nil: the folders of
        /// training, else of calibration, sorted.
        public var classes: [String]?
        /// Of the draw where a source has more samples than are taken.
        public var seed: Int

        enum CodingKeys: String, CodingKey, CaseIterable {
            case calibration, training, evaluation, image, batch, classes, seed
            case onBadSample = "on_bad_sample"
        }
    }

    /// Samples in files, and how many of them.
    public struct Source: Equatable, Sendable, Encodable {
        /// File, folder or glob pattern, as written.
        public var path: String
        /// So many samples are taken; all where nil.
        public var samples: Int?
        /// Which ones, where there are more.
        public var order: Order
        /// Training samples only.
        public var augment: Augmentation?

        enum CodingKeys: String, CodingKey, CaseIterable {
            case path, samples, order, augment
        }

        /// Which samples are taken where there are more.
        public enum Order: String, CaseIterable, Sendable, Encodable {
            /// Spread over the source, drawn from `dataset.seed`.
            case spread
            /// The first ones, in the order of the names.
            case first
        }
    }

    /// What happens at a sample that cannot be decoded: the job ends, or it is counted and passed over.
    public enum BadSamplePolicy: String, CaseIterable, Sendable, Encodable {
        case stop, skip
    }
}

extension JobFile.Dataset {
    init(_ value: YAMLValue) throws {
        let section = try YAMLSection(value, keys: CodingKeys.self)
        calibration = try JobFile.Source(section.required(.calibration))
        training = try section[.training].map { try JobFile.Source($0, isForTraining: true) }
        evaluation = try section[.evaluation].map { try JobFile.Source($0) }
        image = try section[.image].map { try JobFile.Image($0) }
        batch = try section[.batch]?.integer(in: 1...65_536) ?? 32
        onBadSample = try section[.onBadSample]?.choice(of: JobFile.BadSamplePolicy.self) ?? .stop
        classes = try section[.classes]?.list(of: "names of classes").map { try $0.text() }
        seed = try section[.seed]?.integer(in: 0...Int(Int32.max)) ?? 0
    }
}

extension JobFile.Source {
    /// Only training samples are augmented.
    init(_ value: YAMLValue, isForTraining: Bool = false) throws {
        let section = try YAMLSection(value, keys: CodingKeys.self, except: isForTraining ? [] : [.augment])
        path = try section.required(.path).text()
        samples = try section[.samples]?.integer(in: 1...Int.max)
        order = try section[.order]?.choice(of: Order.self) ?? .spread
        augment = try section[.augment].map { try Augmentation($0) }
    }
}

extension Augmentation {
    fileprivate init(_ value: YAMLValue) throws {
        let section = try YAMLSection(value, keys: CodingKeys.self)
        self.init(
            cropPadding: try section[.cropPadding]?.integer(in: 0...4096) ?? 0,
            horizontalFlip: try section[.horizontalFlip]?.boolean() ?? false)
    }
}
