import Execution
import Tensors

/// Samples of one shape, decoded: one array per graph input.
package struct SampleGroup: Sendable {
    /// At least one.
    package var count: Int
    /// [count, extents of a sample...] of the input's type, by name.
    package var inputs: [String: Tensor]
    /// Inputs of the graph that have no axis of samples, which take one sample at a time.
    package var withoutSampleAxis: Set<String>
    /// What outputs are compared with, [count, dimensions of the output...], where that was asked for.
    package var targets: Tensor?
    /// One class per sample; empty where the samples have no labels.
    package var labels: [Int]

    package init(
        count: Int, inputs: [String: Tensor], withoutSampleAxis: Set<String> = [], targets: Tensor? = nil,
        labels: [Int] = []
    ) {
        self.count = count
        self.inputs = inputs
        self.withoutSampleAxis = withoutSampleAxis
        self.targets = targets
        self.labels = labels
    }

    /// Shapes of the graph's inputs for so many of the samples.
    package func shapes(samples: Int) -> [String: Shape] {
        var shapes = inputs.mapValues { Shape([samples] + $0.shape.dimensions.dropFirst()) }
        for name in withoutSampleAxis {
            shapes[name] = inputs[name].map { Shape(Array($0.shape.dimensions.dropFirst())) }
        }
        return shapes
    }

    /// Writes all samples of an input into a plan's place.
    /// - Throws: `ExecutionError(.inputMismatch)` where there are none, or others.
    package func feed(_ name: String, to place: UnsafeMutableRawBufferPointer) throws {
        guard let tensor = inputs[name], tensor.count * tensor.elementType.size == place.count else {
            throw ExecutionError(
                .inputMismatch, tensor: name, expected: "\(place.count) bytes",
                found: inputs[name].map { "\($0.elementType.rawValue) \($0.shape)" } ?? "none")
        }
        tensor.withUnsafeBytes { place.copyMemory(from: $0) }
    }
}
