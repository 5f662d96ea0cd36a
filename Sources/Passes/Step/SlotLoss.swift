import Execution
import Tensors
import Training

/// The loss of a slot's samples as a part of that of the global batch, and the gradient that the backward pass begins with.
struct SlotLoss {
    private let task: TrainingTask
    /// Of the evaluated output, for the samples at hand.
    private let shape: Shape

    /// - Parameter shape: of the evaluated output, for the samples at hand.
    init(_ task: TrainingTask, output shape: Shape) {
        (self.task, self.shape) = (task, shape)
    }

    private var output: String { task.pass.output }

    /// - Parameters:
    ///   - samples: at least one.
    ///   - plan: behind its forward pass; takes the gradient.
    ///   - teacher: gives the FP32 model's outputs of the same samples.
    /// - Throws: `TrainingError` (`.notFinite`, `.tooLarge`) for a loss that cannot be added up, and what the loss throws.
    func value(
        of samples: SampleGroup, after plan: TrainingPlan, teacher: () throws -> UnsafeBufferPointer<Float>
    ) throws -> Double {
        let value = try value(samples, plan, teacher)
        guard var refusal = ExactSum.refusal(of: [Float(value)]) else { return value }
        (refusal.key, refusal.index) = (SlotResult.lossKey, nil)
        throw refusal
    }

    private func value(
        _ samples: SampleGroup, _ plan: TrainingPlan, _ teacher: () throws -> UnsafeBufferPointer<Float>
    ) throws -> Double {
        switch task.loss {
        case .crossEntropy:
            return try Loss.crossEntropy(
                outputs: plan.output(output), labels: samples.labels, denominator: Double(task.globalBatch),
                gradient: plan.outputGradient(output))
        case .meanSquaredError:
            let outputs = plan.output(output)
            let elements = task.globalBatch * (outputs.count / samples.count)
            func value(_ targets: UnsafeBufferPointer<Float>) throws -> Double {
                try Loss.meanSquaredError(
                    outputs: outputs, targets: targets, denominator: Double(elements),
                    gradient: plan.outputGradient(output))
            }
            guard let targets = samples.targets else { return try value(teacher()) }
            return try targets.withUnsafeElements(as: Float.self, value)
        case .distillation(let temperature, let axis):
            let rows = ClassRows(
                of: shape.count, length: shape[axis], stride: shape.dimensions[(axis + 1)...].reduce(1, *))
            // A mean over the places of a sample's classes, where there are more than one.
            let denominator = Double(task.globalBatch * (rows.count / samples.count))
            return try distillation(plan, rows, temperature, denominator, teacher: teacher())
        case .output(let name):
            let share = Double(samples.count) / Double(task.globalBatch)
            plan.outputGradient(name)[0] = Float(share)
            return Double(plan.output(name)[0]) * share
        }
    }

    private func distillation(
        _ plan: TrainingPlan, _ rows: ClassRows, _ temperature: Double, _ denominator: Double,
        teacher: UnsafeBufferPointer<Float>
    ) throws -> Double {
        let gradient = plan.outputGradient(output)
        guard !rows.areContiguous else {
            return try Loss.distillation(
                outputs: plan.output(output), teacher: teacher, samples: rows.count, temperature: temperature,
                denominator: denominator, gradient: gradient)
        }
        let outputs = rows.gathered(plan.output(output))
        let targets = rows.gathered(teacher)
        var ofRows = [Float](repeating: 0, count: outputs.count)
        let value = try outputs.withUnsafeBufferPointer { outputs in
            try targets.withUnsafeBufferPointer { targets in
                try ofRows.withUnsafeMutableBufferPointer { ofRows in
                    try Loss.distillation(
                        outputs: outputs, teacher: targets, samples: rows.count, temperature: temperature,
                        denominator: denominator, gradient: ofRows)
                }
            }
        }
        rows.scatter(ofRows, to: gradient)
        return value
    }
}

/// The elements of a tensor as rows along one of its axes, [rows, extent of the axis].
package struct ClassRows {
    /// Rows: elements over the extent of the axis.
    package let count: Int
    /// Elements of a row.
    private let length: Int
    /// Elements between two of a row.
    private let stride: Int

    /// - Parameters:
    ///   - elements: of the tensor.
    ///   - length: extent of the axis.
    ///   - stride: elements of the axes behind it.
    package init(of elements: Int, length: Int, stride: Int) {
        count = elements / length
        self.length = length
        self.stride = stride
    }

    var areContiguous: Bool { stride == 1 }

    /// The rows one behind the other, [rows, extent of the axis].
    package func gathered(_ elements: UnsafeBufferPointer<Float>) -> [Float] {
        var rows = [Float](repeating: 0, count: elements.count)
        for row in 0..<count {
            for index in 0..<length { rows[row * length + index] = elements[place(row, index)] }
        }
        return rows
    }

    /// Writes rows back to where `gathered` took them from.
    package func scatter(_ rows: [Float], to elements: UnsafeMutableBufferPointer<Float>) {
        for row in 0..<count {
            for index in 0..<length { elements[place(row, index)] = rows[row * length + index] }
        }
    }

    private func place(_ row: Int, _ index: Int) -> Int {
        (row / stride * length + index) * stride + row % stride
    }
}
