import Execution
import Graph
import Synchronization
import Tensors

/// A model as the lanes of a worker share it.
final class SharedModel: Sendable {
    let graph: Graph
    let weights = WeightStore()
    private let specialized = Mutex<[[String: Shape]: SpecializedGraph]>([:])

    init(_ graph: Graph) {
        self.graph = graph
    }

    func specialized(_ inputShapes: [String: Shape]) throws -> SpecializedGraph {
        if let known = specialized.withLock({ $0[inputShapes] }) { return known }
        let made = try graph.specialized(inputShapes: inputShapes)
        specialized.withLock { $0[inputShapes] = made }
        return made
    }
}

/// Runs a model over batches, a tile of samples at a time. Belongs to one thread.
final class ModelLane {
    private let model: SharedModel
    private let taps: Set<String>
    private var plans: [[String: Shape]: Plan] = [:]

    init(_ model: SharedModel, taps: Set<String>) {
        self.model = model
        self.taps = taps
    }

    /// - Parameters:
    ///   - inputs: float arrays with `count` samples on axis 0; of any shapes where one tile takes them whole.
    ///   - tile: samples per forward pass; the last one takes what remains.
    ///   - outputs: receives the plan after each tile, with the samples that it holds.
    func run(
        _ inputs: [String: Tensor], count: Int, tile: Int, tap: (Plan.Tap) throws -> Void = { _ in },
        outputs: (Range<Int>, Plan) throws -> Void = { _, _ in }
    ) throws {
        for start in stride(from: 0, to: count, by: tile) {
            let samples = start..<min(start + tile, count)
            let isWhole = samples.count == count
            let shapes = inputs.mapValues {
                isWhole ? $0.shape : Shape([samples.count] + $0.shape.dimensions.dropFirst())
            }
            let plan = try plan(shapes)
            try plan.run(
                feed: { name, place in
                    guard let tensor = inputs[name] else {
                        throw ExecutionError(.inputMismatch, tensor: name, expected: "an array", found: "none")
                    }
                    let size = tensor.count / count
                    let range = isWhole ? 0..<tensor.count : start * size..<samples.upperBound * size
                    tensor.withUnsafeElements(as: Float.self) { elements in
                        let rows = UnsafeBufferPointer(rebasing: elements[range])
                        _ = place.update(fromContentsOf: rows)
                    }
                }, tap: tap)
            try outputs(samples, plan)
        }
    }

    private func plan(_ shapes: [String: Shape]) throws -> Plan {
        if let plan = plans[shapes] { return plan }
        let plan = try Plan(model.specialized(shapes), weights: model.weights, taps: taps)
        plans[shapes] = plan
        return plan
    }
}
