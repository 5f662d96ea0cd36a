import Datasets
import JobFile
import Nodes
import Operators
import Passes
import Support
import Tensors

/// Whether the samples of all sources are what the model takes, as far as headers and first samples tell: hours of calibration
/// must not end at the first sample of the evaluation.
struct SampleChecks {
    /// Shapes other than those of `inputs` that the model is looked at with here; workers look at all that they meet.
    private static let shapeLimit = 8

    /// For people: conversions of arrays, and what is computed otherwise than together.
    private(set) var notes: [String] = []

    private let job: JobFile
    private let preparation: ModelPreparation
    private var shapes: Set<[[Int]]> = []

    /// - Throws: `DatasetError` naming the file and the array, `GraphError` where the model does not take a shape, or `JobError` where
    ///   images are given and no arrays, or the other way round.
    init(_ job: JobFile, of sources: [DatasetSource], fit preparation: ModelPreparation) throws {
        self.job = job
        self.preparation = preparation
        for source in sources {
            for file in source.files where source.kind == .npz {
                let arrays = try NPZRowReader(file).arrays
                try check(
                    Dictionary(arrays.map { ($0.name, ($0.rowShape, $0.elementType)) }) { first, _ in first },
                    file: file.path, key: "0")
            }
            guard source.kind != .npz, let sample = try job.firstSample(of: source) else { continue }
            switch sample.content {
            case .image:
                guard job.dataset.image != nil else {
                    throw job.error(.missingKey, key: "dataset.image", expected: "size, mean and std for image samples")
                }
            case .arrays(let arrays):
                try check(
                    arrays.mapValues { ($0.shape, $0.elementType) }, file: sample.source, key: sample.key)
            }
        }
        let whole = preparation.inputs.filter { !$0.hasSampleAxis }.map(\.name)
        if !whole.isEmpty {
            notes.append(
                "samples are computed one at a time, as \(whole.joined(separator: ", ")) of the model "
                    + "\(whole.count == 1 ? "has" : "have") no axis of samples")
        }
    }

    private mutating func check(
        _ arrays: [String: (shape: Shape, type: ElementType)], file: String, key: String
    ) throws {
        let names = arrays.keys.sorted().joined(separator: ", ")
        func refusal(_ code: DatasetError.Code, expected: String, found: String) -> DatasetError {
            DatasetError(code, file: file, key: key, expected: expected, found: found)
        }
        var symbols: [String: Int] = [:]
        var own: [[Int]] = []
        for input in preparation.inputs {
            guard input.preprocessing == nil else {
                throw refusal(
                    .missingContent, expected: "an image, as dataset.image says", found: "arrays named \(names)")
            }
            guard let array = arrays[input.name] else {
                throw refusal(.missingContent, expected: "an array named \(input.name)", found: names)
            }
            if let expected = input.refusal(of: array.shape.dimensions, symbols: &symbols) {
                throw refusal(
                    .corruptArray, expected: "\(input.name) of shape \(expected)", found: "\(array.shape)")
            }
            guard let conversion = SampleConversion(from: array.type, to: input.elementType) else {
                throw refusal(
                    .corruptArray, expected: "\(input.name) of \(input.elementType.rawValue), or of integers",
                    found: array.type.rawValue)
            }
            if let words = conversion.words {
                let note =
                    "\(input.name): \(array.type.rawValue) becomes the model's \(input.elementType.rawValue), \(words)"
                if !notes.contains(note) { notes.append(note) }
            }
            own.append(array.shape.dimensions)
        }
        try look(at: own)
    }

    /// Whether the model takes samples of a shape, and keeps them apart.
    private mutating func look(at own: [[Int]]) throws {
        let inputs = preparation.inputs
        guard inputs.haveSampleAxis, own != inputs.map(\.dimensions), shapes.count < Self.shapeLimit,
            shapes.insert(own).inserted
        else { return }
        try attributingErrors(to: job.url(for: job.model).path) {
            var resized = inputs
            for (index, dimensions) in own.enumerated() { resized[index].dimensions = dimensions }
            _ = try preparation.graph.forTiles(resized, batch: job.dataset.batch)
        }
    }
}

extension SampleConversion {
    /// What becomes of the numbers; nil where nothing does.
    fileprivate var words: String? {
        switch self {
        case .none: nil
        case .exact: "without loss"
        case .rounded: "rounded"
        case .whereHeld: "where it holds all numbers of a sample"
        }
    }
}
