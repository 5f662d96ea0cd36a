import Execution
import Graph
import Synchronization
import Tensors

/// A model as the lanes of a worker share it.
final class SharedModel: Sendable {
    /// Shapes remembered: whole tiles and, where samples are left out, some of the smaller last ones.
    private static let limit = 16

    let graph: Graph
    let weights: WeightStore
    private let specialized = Mutex<[[String: Shape]: SpecializedGraph]>([:])

    /// - Parameter weights: of models that share constants with this one.
    init(_ graph: Graph, weights: WeightStore = WeightStore()) {
        self.graph = graph
        self.weights = weights
    }

    /// The graph for some input shapes. Lanes that ask at the same time may each make it; all get the first, whose constants
    /// they then share.
    /// - Throws: `GraphError` for shapes that do not fit the graph.
    func specialized(_ inputShapes: [String: Shape]) throws -> SpecializedGraph {
        if let known = specialized.withLock({ $0[inputShapes] }) { return known }
        let made = try graph.specialized(inputShapes: inputShapes)
        return specialized.withLock { specialized in
            if let known = specialized[inputShapes] { return known }
            if specialized.count >= Self.limit { specialized.removeAll() }
            specialized[inputShapes] = made
            return made
        }
    }
}
