import Datasets
import Graph
import JobFile
import Nodes
import Operators
import Passes
import Tensors

extension JobFile {
    /// What the samples of a job become before they enter its model.
    /// - Parameter source: where calibration samples come from; the largest of the first ones tells what the model leaves open.
    /// - Throws: `GraphError`, `JobError` or `DatasetError` where samples and model do not fit.
    func inputs(of graph: Graph, from source: DatasetSource) throws -> [PassSpecification.Input] {
        if let image = dataset.image { return [try imageInput(of: graph, image, from: source)] }
        let isOpen = graph.inputs.contains { $0.dimensions.map { $0.dropFirst().contains(where: \.isOpen) } ?? true }
        guard let sample = try isOpen ? largestSample(of: source) : firstSample(of: source) else {
            throw noSample("dataset.calibration")
        }
        guard case .arrays(let arrays) = sample.content else {
            throw error(.missingKey, key: "dataset.image", expected: "size, mean and std for image samples")
        }
        return try graph.inputs.map { try graph.arrayInput($0, in: arrays, of: sample) }
    }

    func noSample(_ key: String) -> JobError {
        error(.outOfRange, key: key, expected: "at least one sample that can be read", found: "none")
    }

    // MARK: Images

    private func imageInput(
        of graph: Graph, _ image: Image, from source: DatasetSource
    ) throws -> PassSpecification.Input {
        guard graph.inputs.count == 1, let input = graph.inputs.first else {
            throw GraphError(
                .inputShapeMismatch, expected: "one input for image samples",
                found: graph.inputs.map(\.name).joined(separator: ", "))
        }
        guard input.elementType.isFloatingPoint else {
            throw GraphError(
                .unsupportedElementType, tensor: input.name, expected: "an input of a floating-point type for images",
                found: input.elementType.rawValue)
        }
        let preprocessing = try ImagePreprocessing(
            image.sizing, mean: image.mean.map(Float.init), std: image.std.map(Float.init))
        let sizes = image.sizing.sizes
        // The largest bucket, for estimates; a probe is as good with any.
        let example = try sizes?.max { $0.height * $0.width < $1.height * $1.width } ?? keptSize(preprocessing, source)
        var declared = PassSpecification.Input(
            name: input.name, elementType: input.elementType, dimensions: [3, example.height, example.width],
            extents: input.extents(ofSamplesWithRank: 3).extents ?? [.fixed(3), .any, .any],
            preprocessing: preprocessing)
        if sizes?.count == 1 {
            declared.extents = declared.dimensions.map { .fixed($0) }
            return declared
        }
        // Refused here, with the model's name and not a sample's, where it is the job that wants another size.
        for size in sizes ?? [] {
            var symbols: [String: Int] = [:]
            guard let expected = declared.refusal(of: [3, size.height, size.width], symbols: &symbols) else { continue }
            throw GraphError(
                .inputShapeMismatch, tensor: input.name, expected: "\(expected) of each sample",
                found: "\(Shape([3, size.height, size.width])) of dataset.image.size")
        }
        return declared
    }

    /// The largest of what the first samples come to where images keep their size.
    private func keptSize(
        _ preprocessing: ImagePreprocessing, _ source: DatasetSource
    ) throws -> ImageSizing.PixelSize {
        let decoder = ImageDecoder()
        var largest: ImageSizing.PixelSize?
        try forFirstSamples(of: source) { sample in
            let size = try preprocessing.open(sample, using: decoder).size
            if size.elementCount > largest?.elementCount ?? 0 { largest = size }
        }
        guard let largest else { throw noSample("dataset.calibration") }
        return largest
    }
}

extension Graph {
    /// What an input takes of samples that hold arrays.
    /// - Throws: `DatasetError` where the sample has no such array; `GraphError` where the input wants another number of axes.
    func arrayInput(
        _ input: ValueInfo, in arrays: [String: Tensor], of sample: Sample
    ) throws -> PassSpecification.Input {
        guard let array = arrays[input.name] else {
            throw DatasetError(
                .missingContent, file: sample.source, key: sample.key, expected: "an array named \(input.name)",
                found: arrays.keys.sorted().joined(separator: ", "))
        }
        let (extents, hasSampleAxis) = input.extents(ofSamplesWithRank: array.shape.rank)
        guard let extents else {
            throw GraphError(
                .inputShapeMismatch, tensor: input.name, expected: input.declaration,
                found: "samples of shape \(array.shape), behind an axis of samples")
        }
        if !hasSampleAxis { try checkWhole(input, arrays) }
        return PassSpecification.Input(
            name: input.name, elementType: input.elementType, dimensions: array.shape.dimensions, extents: extents,
            hasSampleAxis: hasSampleAxis, preprocessing: nil)
    }

    /// An array with as many axes as the input is the model's whole input, unless the first axis is one of samples.
    private func checkWhole(_ input: ValueInfo, _ arrays: [String: Tensor]) throws {
        guard let first = arrays[input.name]?.shape.dimensions.first, first != 1,
            input.dimensions?.first != .fixed(first)
        else { return }
        var samples: [String: Shape] = [:]
        for other in inputs {
            samples[other.name] = arrays[other.name].map { Shape(Array($0.shape.dimensions.dropFirst())) }
        }
        guard (try? samplePositions(samples: samples, batch: 2)) != nil else { return }
        throw GraphError(
            .inputShapeMismatch, tensor: input.name,
            expected: "\(input.declaration), whose first axis is one of samples that the model keeps apart",
            found: "one sample of shape \(arrays[input.name]?.shape ?? [])")
    }

    /// The graph as it is computed in tiles: for any number of samples, which it keeps apart, or for one.
    /// - Parameters:
    ///   - batch: samples of the largest tile.
    ///   - loss: an output that has one element for any number of samples.
    /// - Throws: `GraphError(.inputShapeMismatch)` for a graph that takes a fixed number of samples and no other: the last
    ///   samples of a shard would not fill a tile; `GraphError(.mixesSamples)` for one whose result for a sample depends on others.
    func forTiles(_ inputs: [PassSpecification.Input], batch: Int, loss: String? = nil) throws -> Graph {
        // Without an axis of samples each is the model's whole input.
        guard inputs.haveSampleAxis else { return self }
        let samples = Dictionary(uniqueKeysWithValues: inputs.map { ($0.name, Shape($0.dimensions)) })
        guard let fixed = fixedBatch else {
            do {
                try checkSamplesApart(samples, batch: batch, loss: loss)
                return self
            } catch let error as GraphError where error.code == .unknownParameter {
                // How it is computed depends on the values: on those of one sample, where there is one.
                return fixingBatch()
            }
        }
        if let open = openingBatch(samples: samples, loss: loss) {
            do {
                try open.checkSamplesApart(samples, batch: batch, loss: loss)
                return open
            } catch let error as GraphError where [.mixesSamples, .unknownParameter].contains(error.code) {
                // Each sample is the model's whole input.
                guard fixed == 1 else { throw error }
                return self
            }
        }
        guard fixed == 1 else {
            throw GraphError(
                .inputShapeMismatch, tensor: self.inputs.first?.name, expected: "a batch of 1 or of any size",
                found: "\(fixed)")
        }
        return self
    }
}

extension Graph {
    /// The graph for one sample and no other number.
    private func fixingBatch() -> Graph {
        var single = self
        for index in inputs.indices where inputs[index].dimensions?.isEmpty == false {
            single.inputs[index].dimensions?[0] = .fixed(1)
        }
        return single
    }
}

extension ValueInfo {
    /// What a sample's extents may be, and whether an axis of samples comes before them; no extents where neither fits.
    fileprivate func extents(
        ofSamplesWithRank rank: Int
    ) -> (extents: [PassSpecification.Extent]?, hasSampleAxis: Bool) {
        guard let dimensions else { return ([PassSpecification.Extent](repeating: .any, count: rank), true) }
        let extents = dimensions.map { dimension -> PassSpecification.Extent in
            switch dimension {
            case .fixed(let extent): .fixed(extent)
            case .symbolic(let name): .symbol(name)
            case .unknown: .any
            }
        }
        if extents.count == rank + 1 { return (Array(extents.dropFirst()), true) }
        return (extents.count == rank ? extents : nil, false)
    }
}

extension ValueInfo.Dimension {
    /// Whether samples may differ in it.
    fileprivate var isOpen: Bool { if case .fixed = self { false } else { true } }
}
