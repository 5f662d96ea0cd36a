import Execution
import Graph
import Quantization
import TensorFunctions
import Tensors

/// Runs a model over groups of samples, a tile at a time. Belongs to one thread.
package final class ModelLane {
    private let model: SharedModel
    private let taps: Set<String>
    /// By shapes. Three have always been kept, whatever they take: one for whole tiles, and some for last tiles that are smaller.
    private var plans = BoundedCache<[String: Shape], Plan>(least: 3, most: 64, byteLimit: 256 << 20)

    private let continues: Bool

    /// - Parameters:
    ///   - taps: values of the graph that `run` hands out.
    ///   - continues: whether what the values of samples decide is computed too, behind what shapes decide.
    package init(_ model: SharedModel, taps: Set<String>, continues: Bool = true) {
        self.model = model
        self.taps = taps
        self.continues = continues
    }

    /// - Parameters:
    ///   - tiles: samples of the group that go through the model together.
    ///   - outputs: receives the plan after each tile, with the samples that it holds.
    /// - Throws: `ExecutionError(.inputMismatch)` for an array with another number of samples, `GraphError` for shapes that the
    ///   graph does not take.
    package func run(
        _ group: SampleGroup, tiles: some Sequence<Range<Int>>,
        tap: (Plan.Tap) throws -> Void = { _ in },
        outputs: (Range<Int>, Plan) throws -> Void = { _, _ in }
    ) throws {
        for (name, tensor) in group.inputs where tensor.shape.dimensions.first != group.count {
            throw ExecutionError(
                .inputMismatch, tensor: name, expected: "\(group.count) samples", found: "\(tensor.shape)")
        }
        for samples in tiles {
            let plan = try plan(group.shapes(samples: samples.count))
            try run(plan, group.inputs, firstSample: samples.lowerBound, tap)
            try outputs(samples, plan)
        }
    }

    /// Runs the model once over whole arrays, whatever their axes mean.
    /// - Returns: the plan, which holds the outputs.
    /// - Throws: `GraphError` for shapes that the graph does not take.
    package func run(whole inputs: [String: Tensor], tap: (Plan.Tap) throws -> Void = { _ in }) throws -> Plan {
        let plan = try plan(inputs.mapValues(\.shape))
        try run(plan, inputs, firstSample: 0, tap)
        return plan
    }

    /// - Parameter firstSample: index on axis 0 from which on the plan takes its samples.
    private func run(
        _ plan: Plan, _ inputs: [String: Tensor], firstSample: Int, _ tap: (Plan.Tap) throws -> Void
    ) throws {
        func copy(_ name: String, _ type: ElementType, to place: UnsafeMutableRawBufferPointer) throws {
            guard let tensor = inputs[name], tensor.elementType == type else {
                throw ExecutionError(
                    .inputMismatch, tensor: name, expected: "an array of \(type)",
                    found: inputs[name]?.elementType.rawValue ?? "none")
            }
            let start = firstSample * tensor.shape.dimensions.dropFirst().reduce(tensor.elementType.size, *)
            tensor.withUnsafeBytes { bytes in
                place.copyMemory(from: UnsafeRawBufferPointer(rebasing: bytes[start..<start + place.count]))
            }
        }
        try plan.run(
            feed: { try copy($0, .float32, to: UnsafeMutableRawBufferPointer($1)) },
            typed: { try copy($0, $1.type.elementType, to: $1.bytes) }, tap: tap)
    }

    /// Bytes of the memory that values share in a run with inputs of these shapes.
    /// - Throws: as compiling the model does.
    package func arenaByteCount(of shapes: [String: Shape]) throws -> Int { try plan(shapes).arenaByteCount }

    private func plan(_ shapes: [String: Shape]) throws -> Plan {
        if let known = plans.value(shapes) { return known }
        // Before the next is made, so that there are never more arenas.
        plans.makeRoom()
        var graph = try model.specialized(shapes)
        if !continues { graph.remainder = nil }
        let plan = try Plan(graph, weights: model.weights, taps: taps)
        model.settle(graph, shapes)
        plans.insert(shapes, plan, byteCount: plan.arenaByteCount)
        return plan
    }
}

extension Plan {
    /// Calls `body` with the elements of an output as float32, row-major, whatever its type.
    package func withFloats<Result>(
        of output: String, _ body: (UnsafeBufferPointer<Float>) throws -> Result
    ) rethrows -> Result {
        let place = typedOutput(output)
        guard place.type.elementType != .float32 else { return try body(self.output(output)) }
        return try Tensor(place).converted(to: .float32).withUnsafeElements(as: Float.self, body)
    }

    /// The elements of an output as float32, row-major, whatever its type.
    package func floats(of output: String) -> [Float] { withFloats(of: output) { Array($0) } }
}

extension Tensor {
    /// A copy of what a plan holds.
    package init(_ place: Plan.TypedPlace) {
        let storage = TensorStorage(byteCount: place.bytes.count) {
            $0.copyMemory(from: UnsafeRawBufferPointer(place.bytes))
        }
        self.init(shape: place.type.shape, elementType: place.type.elementType, storage: storage)
    }
}

extension [String: FakeQuantizer] {
    /// Quantizes and dequantizes the tapped value in place. Zeros that fill up a layout stay zero, as every encoding
    /// represents zero exactly.
    package func apply(to tap: Plan.Tap) {
        guard let start = tap.elements.baseAddress else { return }
        self[tap.name]?.apply(inPlace: start, count: tap.elements.count)
    }
}
