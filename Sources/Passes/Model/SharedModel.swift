import Execution
import Graph
import Synchronization
import Tensors

/// A model as the lanes of a worker share it.
package final class SharedModel: Sendable {
    /// Of any number of samples.
    package let graph: Graph
    /// Its constants as primitives take them, laid out once for all lanes.
    package let weights: WeightStore
    /// By shapes, of which a job may have many; what a shape makes of the graph's constants counts as its memory.
    private let specialized = Mutex(
        BoundedCache<[String: Shape], SpecializedGraph>(least: 16, most: 256, byteLimit: 256 << 20))

    /// - Parameter weights: of models that share constants with this one.
    package init(_ graph: Graph, weights: WeightStore = WeightStore()) {
        self.graph = graph
        self.weights = weights
    }

    /// The graph for some input shapes. Lanes that ask at the same time may each make it; all get the first, whose constants
    /// they then share.
    /// - Throws: `GraphError` for shapes that do not fit the graph.
    package func specialized(_ inputShapes: [String: Shape]) throws -> SpecializedGraph {
        if let known = specialized.withLock({ $0.value(inputShapes) }) { return known }
        let made = try graph.stagedSpecialization(inputShapes: inputShapes)
        let byteCount = ownConstants(of: made).reduce(0) { $0 + $1.count * $1.elementType.size }
        let (graph, dropped) = specialized.withLock { specialized in
            if let known = specialized.value(inputShapes) { return (known, [SpecializedGraph]()) }
            return (made, specialized.insert(inputShapes, made, byteCount: byteCount))
        }
        for graph in dropped { weights.forget(ownConstants(of: graph)) }
        return graph
    }

    /// Has the weights forget what a plan of a graph left there that was dropped meanwhile.
    package func settle(_ graph: SpecializedGraph, _ inputShapes: [String: Shape]) {
        if specialized.withLock({ $0.value(inputShapes) }) == nil { weights.forget(ownConstants(of: graph)) }
    }

    /// What was folded for the shapes, in place of which another specialization has its own.
    private func ownConstants(of specialized: SpecializedGraph) -> [Tensor] {
        (Array(specialized.constants) + Array(specialized.remainder?.graph.constants ?? [:])).compactMap {
            name, constant in
            graph.constants[name]?.identity == constant.identity ? nil : constant
        }
    }
}

extension SharedModel {
    /// Elements per sample of the evaluated output, for the largest samples looked at: where a row of it is scores of classes, their number.
    /// - Throws: `GraphError` where the model does not take the pass's inputs.
    func classes(of pass: PassSpecification) throws -> Int {
        (try specialized(pass.tileShapes).types[pass.output]?.shape.count ?? 0) / pass.tile
    }

    /// Scores per sample where a row of an output is scores of classes, further axes having an extent of one; else nil.
    /// - Throws: `GraphError` where the model does not take the shapes.
    func scores(of output: String, _ inputShapes: [String: Shape]) throws -> Int? {
        guard let row = try specialized(inputShapes).types[output]?.shape.dimensions.dropFirst(),
            let count = row.first, count > 1, row.dropFirst().allSatisfy({ $0 == 1 })
        else { return nil }
        return count
    }
}
