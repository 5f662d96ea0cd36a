import Definitions
import Nodes
import Operators
import TensorFunctions
import Tensors

extension ClassificationLoss: DifferentiableDefinition {
    /// Of the scores; weights are given, and have no gradient.
    package func inputGradients(_ derivative: Derivative) throws -> [Int: Tensor] {
        guard let shape = derivative.inputs[0]?.type.shape else { return [:] }
        let rows = AxisRows(shape, axis: 1)
        let labels = try node.constantInts(derivative.inputs, 1) ?? []
        let (scores, weights) = (derivative.elements(0), derivative.elements(2))
        func weight(_ label: Int) -> Double {
            label == ignoredLabel || !(0..<rows.extent ~= label) ? 0 : weights.isEmpty ? 1 : weights[label]
        }
        let ofLosses = derivative.gradient()
        let total = reduction == .mean ? labels.reduce(0.0) { $0 + weight($1) } : 1
        // Of the logarithms of probabilities.
        var result =
            derivative.gradients.count > 1 ? derivative.gradient(1) : [Double](repeating: 0, count: scores.count)
        for (row, label) in labels.enumerated() where weight(label) != 0 {
            result[rows.place(row: row, label)] -= weight(label) * ofLosses[reduction == .none ? row : 0] / total
        }
        guard isOfScores else { return [0: derivative.result(result, of: 0)] }
        for row in 0..<rows.count {
            let places = (0..<rows.extent).map { rows.place(row: row, $0) }
            let largest = places.reduce(-.infinity) { max($0, scores[$1]) }
            let sum = places.reduce(0) { $0 + exponential(scores[$1] - largest) }
            let whole = places.reduce(0) { $0 + result[$1] }
            for place in places { result[place] -= whole * exponential(scores[place] - largest) / sum }
        }
        return [0: derivative.result(result, of: 0)]
    }
}
