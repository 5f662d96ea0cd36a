import Graph
import Nodes
import Operators
import Synchronization
import Tensors

/// How many samples of a shape go through a model at once, as the lanes of a worker share it. It follows from the model, the job
/// and the shape alone. A shape that the job has not looked at is looked at here, once, before any sample of it is computed.
package final class SampleTiles: Sendable {
    /// Shapes remembered; they are small, and found out again where they are forgotten.
    private static let limit = 4096

    private let graph: Graph
    private let pass: PassSpecification
    private let loss: String?
    /// Of one sample as the job looked at.
    private let example: [String: Shape]
    private let known = Mutex<[[String: Shape]: Int]>([:])

    /// - Parameters:
    ///   - graph: of the pass's model.
    ///   - loss: an output that is over all samples, and no part of what is evaluated.
    package init(_ graph: Graph, _ pass: PassSpecification, loss: String? = nil) {
        self.graph = graph
        self.pass = pass
        self.loss = loss
        example = pass.inputs.shapes(samples: 1)
    }

    /// The samples of a group in runs, each of which goes through the model at once: as many as the shape's tile has, and what
    /// remains. Of shapes that the job has not looked at, which may be many, remainders are of powers of two, so that there are few
    /// plans for each.
    /// - Throws: `GraphError` where the model does not take the shape, or does not keep such samples apart.
    package func tiles(of group: SampleGroup) throws -> [Range<Int>] {
        let shapes = group.shapes(samples: 1)
        let tile = try size(shapes)
        var tiles: [Range<Int>] = []
        var start = 0
        while start < group.count {
            var size = min(tile, group.count - start)
            if size < tile, shapes != example { size = size.greatestPowerOfTwo }
            tiles.append(start..<start + size)
            start += size
        }
        return tiles
    }

    /// Looks at the shape of a group whose samples are computed together.
    /// - Throws: as `tiles`.
    func check(_ group: SampleGroup) throws { _ = try size(group.shapes(samples: 1)) }

    private func size(_ shapes: [String: Shape]) throws -> Int {
        if shapes == example { return pass.tile }
        guard pass.inputs.haveSampleAxis, graph.fixedBatch == nil else { return 1 }
        if let tile = known.withLock({ $0[shapes] }) { return tile }
        let samples = shapes.mapValues { Shape(Array($0.dimensions.dropFirst())) }
        try graph.checkSamplesApart(samples, batch: pass.batch, loss: loss)
        let tile = TileSize.samples(for: try graph.specialized(inputShapes: shapes), batch: pass.batch)
            .greatestPowerOfTwo
        known.withLock { known in
            if known.count >= Self.limit { known.removeAll() }
            known[shapes] = tile
        }
        return tile
    }
}

extension Int {
    /// The greatest power of two that is not greater than the number, which is above 0.
    fileprivate var greatestPowerOfTwo: Int { 1 << (Int.bitWidth - 1 - leadingZeroBitCount) }
}

extension Graph {
    /// Shows that samples of a shape are kept apart, so that batches may be cut and put together.
    /// - Parameters:
    ///   - samples: shape of one sample by input, without the batch axis.
    ///   - batch: samples of the largest tile.
    ///   - loss: an output that is over all samples, and no part of what is evaluated.
    /// - Throws: `GraphError(.mixesSamples)` where they are not, or it cannot be shown; what specialization throws.
    package func checkSamplesApart(_ samples: [String: Shape], batch: Int, loss: String? = nil) throws {
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
