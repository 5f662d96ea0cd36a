import Nodes
import Operators
import TensorFunctions
import Tensors

extension ClassificationLoss: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        guard let data = inputs[0]?.constant else { return nil }
        let labels = try node.constantInts(inputs, 1) ?? []
        let weights = (inputs.count > 2 ? inputs[2]?.constant : nil)?.converted(to: .float64).elements(as: Double.self)
        let rows = AxisRows(data.shape, axis: 1)
        var logarithms = data.converted(to: .float64).elements(as: Double.self)
        if isOfScores { logarithms.subtractLogarithmOfSum(rows) }
        var (losses, total): ([Double], Double) = ([], 0)
        for (row, label) in labels.enumerated() {
            guard label != ignoredLabel else {
                losses.append(0)
                continue
            }
            guard 0..<rows.extent ~= label else {
                throw GraphError(
                    .invalidInput, at: node, tensor: inputs[1]?.name, expected: "labels below \(rows.extent)",
                    found: "\(label)")
            }
            let weight = weights?[label] ?? 1
            losses.append(-logarithms[rows.place(row: row, label)] * weight)
            total += weight
        }
        let sum = losses.reduce(0, +)
        let loss =
            switch reduction {
            case .none: Tensor(shape: types[0].shape, losses)
            case .sum: Tensor(scalar: sum)
            case .mean: Tensor(scalar: sum / total)
            }
        return [loss, Tensor(shape: data.shape, logarithms)].prefix(types.count).map {
            $0.converted(to: types[0].elementType)
        }
    }
}

extension [Double] {
    /// Makes scores the logarithms of probabilities, along each row.
    fileprivate mutating func subtractLogarithmOfSum(_ rows: AxisRows) {
        for row in 0..<rows.count {
            let places = (0..<rows.extent).map { rows.place(row: row, $0) }
            let largest = places.reduce(-.infinity) { Swift.max($0, self[$1]) }
            let sum = places.reduce(0) { $0 + exponential(self[$1] - largest) }
            for place in places { self[place] -= largest + logarithm(sum) }
        }
    }
}
