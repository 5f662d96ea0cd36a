import Tensors

/// Losses of a batch, with their gradients with respect to the outputs. All arithmetic is in double precision, sample by
/// sample in order; a gradient is rounded to `Float` once. A loss divides its sum by a denominator that the caller gives,
/// so that the losses and gradients of the parts of a global batch add up to those of the whole.
///
/// Outputs that are not finite give a loss that is not finite, which the caller must look for; nothing traps.
public enum Loss {
    /// Cross-entropy of labels, sum over samples of `logsumexp(z) - z[label]` over the denominator; its gradient is
    /// `(softmax(z) - [label]) / denominator`. As PyTorch's `cross_entropy` where the denominator is the samples.
    /// - Parameters:
    ///   - outputs: z, [samples, classes]
    ///   - labels: [samples], in `0..<classes`
    ///   - denominator: the samples of the global batch, for a mean.
    ///   - gradient: [samples, classes], written.
    /// - Throws: `TrainingError` (`.labelOutOfRange` with the sample, `.lengthMismatch`).
    public static func crossEntropy(
        outputs: UnsafeBufferPointer<Float>, labels: [Int], denominator: Double,
        gradient: UnsafeMutableBufferPointer<Float>
    ) throws(TrainingError) -> Double {
        let classes = try rowLength(outputs.count, samples: labels.count, gradient: gradient.count)
        var probabilities = [Double](repeating: 0, count: classes)
        var sum = 0.0
        for (sample, label) in labels.enumerated() {
            guard (0..<classes).contains(label) else {
                throw TrainingError(
                    .labelOutOfRange, index: sample, expected: "0 to \(classes - 1)", found: "\(label)")
            }
            let row = UnsafeBufferPointer(rebasing: outputs[sample * classes..<(sample + 1) * classes])
            let logSum = softmax(row, temperature: 1, into: &probabilities)
            sum += logSum - Double(row[label])
            for index in 0..<classes {
                let target = index == label ? 1.0 : 0.0
                gradient[sample * classes + index] = Float((probabilities[index] - target) / denominator)
            }
        }
        return sum / denominator
    }

    /// Squared error, sum over elements of `(y - target)^2` over the denominator; its gradient is
    /// `2 (y - target) / denominator`. As PyTorch's `mse_loss` where the denominator is the elements.
    /// - Parameters:
    ///   - outputs: y, of any shape
    ///   - targets: of the same shape
    ///   - denominator: the elements of the outputs of the global batch, for a mean.
    ///   - gradient: of the same shape, written.
    public static func meanSquaredError(
        outputs: UnsafeBufferPointer<Float>, targets: UnsafeBufferPointer<Float>, denominator: Double,
        gradient: UnsafeMutableBufferPointer<Float>
    ) throws(TrainingError) -> Double {
        try check(targets.count, isAsMany: outputs.count, "targets")
        try check(gradient.count, isAsMany: outputs.count, "gradient")
        var sum = 0.0
        for index in outputs.indices {
            let difference = Double(outputs[index]) - Double(targets[index])
            sum += difference * difference
            gradient[index] = Float(2 * difference / denominator)
        }
        return sum / denominator
    }

    /// Distillation (Hinton, Vinyals and Dean, 2015): with p = softmax(teacher / T) and q = softmax(z / T), the sum over
    /// samples of `T^2 KL(p || q)` over the denominator; its gradient is `T (q - p) / denominator`. The square keeps the
    /// gradient's size independent of the temperature. As PyTorch's `kl_div` with `batchmean`, times T^2.
    /// - Parameters:
    ///   - outputs: z of the quantized model, [samples, classes]
    ///   - teacher: outputs of the FP32 model, of the same shape
    ///   - temperature: T, positive
    ///   - denominator: the samples of the global batch, for a mean.
    ///   - gradient: of the same shape, written.
    public static func distillation(
        outputs: UnsafeBufferPointer<Float>, teacher: UnsafeBufferPointer<Float>, samples: Int, temperature: Double,
        denominator: Double, gradient: UnsafeMutableBufferPointer<Float>
    ) throws(TrainingError) -> Double {
        precondition(temperature > 0, "a temperature of \(temperature)")
        let classes = try rowLength(outputs.count, samples: samples, gradient: gradient.count)
        try check(teacher.count, isAsMany: outputs.count, "teacher")
        var soft = [Double](repeating: 0, count: classes)
        var target = soft
        var sum = 0.0
        for sample in 0..<samples {
            let range = sample * classes..<(sample + 1) * classes
            let row = UnsafeBufferPointer(rebasing: outputs[range])
            let teacherRow = UnsafeBufferPointer(rebasing: teacher[range])
            let logSum = softmax(row, temperature: temperature, into: &soft)
            let teacherLogSum = softmax(teacherRow, temperature: temperature, into: &target)
            for index in 0..<classes {
                // ln p - ln q, without the logarithm of a probability that may have become zero.
                let difference =
                    (Double(teacherRow[index]) - Double(row[index])) / temperature - (teacherLogSum - logSum)
                if target[index] > 0 { sum += target[index] * difference }
                gradient[range.lowerBound + index] = Float(
                    temperature * (soft[index] - target[index]) / denominator)
            }
        }
        return temperature * temperature * sum / denominator
    }

    /// softmax(z / T), and logsumexp(z / T), shifted by the greatest element so that nothing overflows.
    private static func softmax(
        _ row: UnsafeBufferPointer<Float>, temperature: Double, into probabilities: inout [Double]
    ) -> Double {
        var greatest = -Double.infinity
        for element in row {
            // A NaN must not hide behind the comparison.
            if element.isNaN { greatest = .nan }
            if Double(element) > greatest { greatest = Double(element) }
        }
        var sum = 0.0
        for index in row.indices {
            let value = exponential((Double(row[index]) - greatest) / temperature)
            probabilities[index] = value
            sum += value
        }
        for index in row.indices { probabilities[index] /= sum }
        return greatest / temperature + logarithm(sum)
    }

    private static func rowLength(_ count: Int, samples: Int, gradient: Int) throws(TrainingError) -> Int {
        guard samples > 0, count > 0, count.isMultiple(of: samples) else {
            throw TrainingError(.lengthMismatch, key: "outputs", expected: "\(samples) rows", found: "\(count)")
        }
        try check(gradient, isAsMany: count, "gradient")
        return count / samples
    }

    private static func check(_ count: Int, isAsMany expected: Int, _ key: String) throws(TrainingError) {
        guard count == expected else {
            throw TrainingError(.lengthMismatch, key: key, expected: "\(expected)", found: "\(count)")
        }
    }
}
