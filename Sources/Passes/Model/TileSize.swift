import Graph
import Tensors

/// How many samples a lane takes through the model at once. Fixed by the model and the job alone: float results may depend
/// on it, so it must not depend on lanes, workers or machines.
package enum TileSize {
    /// Bytes that a tile's inputs and outputs of one operator may take, so that they stay in a core's second-level cache.
    package static let budgetByteCount = 1 << 20

    /// - Parameters:
    ///   - graph: specialized for one sample.
    ///   - batch: the job's samples per forward pass, which bounds the tile.
    package static func samples(for graph: SpecializedGraph, batch: Int) -> Int {
        let footprints = graph.steps.map { step in
            (step.node.inputs + step.node.outputs).reduce(0) { sum, value in
                guard graph.constants[value] == nil, let type = graph.types[value] else { return sum }
                return sum + type.shape.count * type.elementType.size
            }
        }
        // A network that computes nothing takes what it is given.
        guard !footprints.isEmpty else { return batch }
        // The median operator: a few large ones at the network's start should not starve the rest.
        let typical = footprints.sorted()[footprints.count / 2]
        return min(max(budgetByteCount / max(typical, 1), 2), batch)
    }
}
