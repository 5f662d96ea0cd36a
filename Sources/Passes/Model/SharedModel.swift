import Execution
import Graph
import Synchronization
import Tensors

/// A model as the lanes of a worker share it.
package final class SharedModel: Sendable {
    /// Shapes remembered: whole tiles and, where samples are left out, some of the smaller last ones.
    private static let limit = 16

    /// Of any number of samples.
    package let graph: Graph
    /// Its constants as primitives take them, laid out once for all lanes.
    package let weights: WeightStore
    private let specialized = Mutex<[[String: Shape]: SpecializedGraph]>([:])

    /// - Parameter weights: of models that share constants with this one.
    package init(_ graph: Graph, weights: WeightStore = WeightStore()) {
        self.graph = graph
        self.weights = weights
    }

    /// The graph for some input shapes. Lanes that ask at the same time may each make it; all get the first, whose constants
    /// they then share.
    /// - Throws: `GraphError` for shapes that do not fit the graph.
    package func specialized(_ inputShapes: [String: Shape]) throws -> SpecializedGraph {
        if let known = specialized.withLock({ $0[inputShapes] }) { return known }
        let made = try graph.stagedSpecialization(inputShapes: inputShapes)
        return specialized.withLock { specialized in
            if let known = specialized[inputShapes] { return known }
            if specialized.count >= Self.limit { specialized.removeAll() }
            specialized[inputShapes] = made
            return made
        }
    }
}

extension SharedModel {
    /// Scores per sample of the evaluated output: the elements of one of its rows.
    /// - Throws: `GraphError` where the model does not take the pass's inputs.
    func classes(of pass: PassSpecification) throws -> Int {
        let scores = try specialized(pass.tileShapes).types[pass.output]?.shape
        return scores?.dimensions.dropFirst().reduce(1, *) ?? 0
    }
}
