import Datasets
import Graph
import JobFile
import Operators
import Passes
import Tensors

extension JobFile {
    /// What the samples of a job become before they enter its model.
    /// - Parameter source: where calibration samples come from; the first one tells the inputs' extents where samples hold arrays.
    /// - Throws: `GraphError`, `JobError` or `DatasetError` where samples and model do not fit.
    func inputs(of graph: Graph, from source: DatasetSource) throws -> [PassSpecification.Input] {
        guard let image = dataset.image else { return try arrayInputs(of: graph, from: source) }
        guard graph.inputs.count == 1, let input = graph.inputs.first else {
            throw GraphError(
                .inputShapeMismatch, expected: "one input for image samples",
                found: graph.inputs.map(\.name).joined(separator: ", "))
        }
        let preprocessing = try ImagePreprocessing(
            height: image.height, width: image.width, mean: image.mean.map(Float.init), std: image.std.map(Float.init))
        return [
            PassSpecification.Input(
                name: input.name, dimensions: [3, image.height, image.width], preprocessing: preprocessing)
        ]
    }

    private func arrayInputs(of graph: Graph, from source: DatasetSource) throws -> [PassSpecification.Input] {
        guard let sample = try firstSample(of: source) else {
            throw error(
                .outOfRange, key: "dataset.calibration", expected: "at least one sample that can be read",
                found: "none")
        }
        guard case .arrays(let arrays) = sample.content else {
            throw error(.missingKey, key: "dataset.image", expected: "size, mean and std for image samples")
        }
        return try graph.inputs.map { input in
            guard let array = arrays[input.name] else {
                throw DatasetError(
                    .missingContent, file: sample.source, key: sample.key, expected: "an array named \(input.name)",
                    found: arrays.keys.sorted().joined(separator: ", "))
            }
            return PassSpecification.Input(name: input.name, dimensions: array.shape.dimensions, preprocessing: nil)
        }
    }
}

extension Graph {
    /// The graph as it is computed in tiles: for any number of samples, which it keeps apart, or for one.
    /// - Parameters:
    ///   - batch: samples of the largest tile.
    ///   - loss: an output that has one element for any number of samples.
    /// - Throws: `GraphError(.inputShapeMismatch)` for a graph that takes a fixed number of samples and no other: the last
    ///   samples of a shard would not fill a tile; `GraphError(.mixesSamples)` for one whose result for a sample depends on others.
    func forTiles(_ inputs: [PassSpecification.Input], batch: Int, loss: String? = nil) throws -> Graph {
        let samples = Dictionary(uniqueKeysWithValues: inputs.map { ($0.name, Shape($0.dimensions)) })
        guard let fixed = fixedBatch else {
            try keepingSamplesApart(samples, batch, loss: loss)
            return self
        }
        if let open = openingBatch(samples: samples, loss: loss) {
            do {
                try open.keepingSamplesApart(samples, batch, loss: loss)
                return open
            } catch let error as GraphError where error.code == .mixesSamples {
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

    /// - Parameter loss: an output that is over all samples, and no part of what is evaluated.
    private func keepingSamplesApart(_ samples: [String: Shape], _ batch: Int, loss: String?) throws {
        var evaluated = loss.map(removingOutput) ?? self
        let used = samples.filter { evaluated.isInput($0.key) }
        func specialized(_ count: Int) throws -> SpecializedGraph {
            try evaluated.specialized(inputShapes: used.mapValues { Shape([count] + $0.dimensions) })
        }
        let positions: [String: SamplePosition]
        do {
            if evaluated.outputs.count > 1 {
                // Outputs over all samples, as losses are, beside the one that is evaluated, are nobody's samples.
                let two = try specialized(2)
                let first = evaluated.outputs.first?.name
                evaluated.outputs.removeAll { $0.name != first && two.types[$0.name]?.shape.dimensions.first != 2 }
            }
            positions = try evaluated.samplePositions(samples: used, batch: batch)
        } catch {
            // What does not fit one sample either is told of one.
            _ = try specialized(1)
            throw error
        }
        guard let output = evaluated.outputs.first?.name, positions[output]?.isRows != true,
            let node = evaluated.nodes.first(where: { $0.outputs.contains(output) })
        else { return }
        throw GraphError(
            .mixesSamples, at: node, tensor: output, expected: "a first output with the samples along its first axis",
            found: positions[output] == nil ? "one that depends on no sample" : "the samples elsewhere")
    }
}
