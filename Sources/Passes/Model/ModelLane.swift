import Execution
import Graph
import Quantization
import Tensors

/// Runs a model over batches, a tile of samples at a time. Belongs to one thread.
package final class ModelLane {
    /// Plans kept: one for whole tiles, and for a last tile that is smaller. Each has an arena of its own, and last tiles may
    /// have any size where bad samples are left out.
    private static let planLimit = 3

    private let model: SharedModel
    private let taps: Set<String>
    /// The one used last comes last.
    private var plans: [(shapes: [String: Shape], plan: Plan)] = []

    /// - Parameter taps: values of the graph that `run` hands out.
    package init(_ model: SharedModel, taps: Set<String>) {
        self.model = model
        self.taps = taps
    }

    /// - Parameters:
    ///   - inputs: arrays of the inputs' types with `count` samples on axis 0.
    ///   - samples: those to run; all where nil.
    ///   - tile: samples per forward pass; the last one takes what remains.
    ///   - outputs: receives the plan after each tile, with the samples that it holds.
    /// - Throws: `ExecutionError(.inputMismatch)` for an array with another number of samples, `GraphError` for shapes that the
    ///   graph does not take.
    package func run(
        _ inputs: [String: Tensor], count: Int, samples wanted: Range<Int>? = nil, tile: Int,
        tap: (Plan.Tap) throws -> Void = { _ in },
        outputs: (Range<Int>, Plan) throws -> Void = { _, _ in }
    ) throws {
        for (name, tensor) in inputs where tensor.shape.dimensions.first != count {
            throw ExecutionError(
                .inputMismatch, tensor: name, expected: "\(count) samples", found: "\(tensor.shape)")
        }
        let wanted = wanted ?? 0..<count
        for start in stride(from: wanted.lowerBound, to: wanted.upperBound, by: tile) {
            let samples = start..<min(start + tile, wanted.upperBound)
            let shapes = inputs.mapValues { Shape([samples.count] + $0.shape.dimensions.dropFirst()) }
            let plan = try plan(shapes)
            try run(plan, inputs, firstSample: start, tap)
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
        try plan.run(
            feed: { name, place in
                guard let tensor = inputs[name] else {
                    throw ExecutionError(.inputMismatch, tensor: name, expected: "an array", found: "none")
                }
                let start = firstSample * tensor.shape.dimensions.dropFirst().reduce(1, *)
                tensor.withUnsafeElements(as: Float.self) { elements in
                    let rows = UnsafeBufferPointer(rebasing: elements[start..<start + place.count])
                    _ = place.update(fromContentsOf: rows)
                }
            },
            typed: { name, place in
                guard let tensor = inputs[name], tensor.elementType == place.type.elementType else {
                    throw ExecutionError(
                        .inputMismatch, tensor: name, expected: "an array of \(place.type.elementType)",
                        found: inputs[name]?.elementType.rawValue ?? "none")
                }
                let start = firstSample * tensor.shape.dimensions.dropFirst().reduce(1, *) * tensor.elementType.size
                tensor.withUnsafeBytes { bytes in
                    place.bytes.copyMemory(
                        from: UnsafeRawBufferPointer(rebasing: bytes[start..<start + place.bytes.count]))
                }
            }, tap: tap)
    }

    /// Bytes of the memory that values share in a run with inputs of these shapes.
    /// - Throws: as compiling the model does.
    package func arenaByteCount(of shapes: [String: Shape]) throws -> Int { try plan(shapes).arenaByteCount }

    private func plan(_ shapes: [String: Shape]) throws -> Plan {
        if let index = plans.firstIndex(where: { $0.shapes == shapes }) {
            let known = plans.remove(at: index)
            plans.append(known)
            return known.plan
        }
        if plans.count >= Self.planLimit { plans.removeFirst() }
        let plan = try Plan(model.specialized(shapes), weights: model.weights, taps: taps)
        plans.append((shapes, plan))
        return plan
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
