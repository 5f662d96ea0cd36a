import Nodes
import Operators
import TensorFunctions
import Tensors

extension Recurrence: EvaluatedOperator {
    /// In double precision, sample by sample and step by step, as the ONNX specification has the equations.
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        func numbers(_ index: Int) -> [Double]? {
            (index < inputs.count ? inputs[index]?.constant : nil)?.converted(to: .float64).elements(as: Double.self)
        }
        guard let x = numbers(0), let weights = numbers(1), let recurrent = numbers(2),
            let shape = inputs[0]?.type.shape, let units = inputs[2]?.type.shape[2]
        else { return nil }
        let (length, batch) = isBatchFirst ? (shape[1], shape[0]) : (shape[0], shape[1])
        let (features, count) = (shape[2], directions.count)
        let (biases, peepholes) = (numbers(3), numbers(7))
        let (hidden, cell) = (numbers(5), numbers(6))
        let lengths = try node.constantInts(inputs, 4)
        if let wrong = lengths?.first(where: { !(0...length ~= $0) }) {
            throw GraphError(
                .invalidInput, at: node, tensor: inputs[4]?.name, expected: "lengths up to \(length)", found: "\(wrong)"
            )
        }
        var outputs = [Double](repeating: 0, count: types[0].shape.count)
        var (lastHidden, lastCell) = (
            [Double](repeating: 0, count: types[1].shape.count), [Double](repeating: 0, count: types[1].shape.count)
        )
        for (direction, isBackward) in directions.enumerated() {
            let rows = gates * units
            let cells = RecurrentCells(
                kind, functions: activations[direction], clip: clip, units: units, features: features,
                weights: Array(weights[direction * rows * features..<(direction + 1) * rows * features]),
                recurrent: Array(recurrent[direction * rows * units..<(direction + 1) * rows * units]),
                biases: biases.map { Array($0[direction * 2 * rows..<(direction + 1) * 2 * rows]) },
                peepholes: peepholes.map { Array($0[direction * 3 * units..<(direction + 1) * 3 * units]) })
            for sample in 0..<batch {
                let state = (isBatchFirst ? sample * count + direction : direction * batch + sample) * units
                func initial(_ values: [Double]?) -> [Double] {
                    values.map { Array($0[state..<state + units]) } ?? [Double](repeating: 0, count: units)
                }
                var (h, c) = (initial(hidden), initial(cell))
                let steps = lengths?[sample] ?? length
                for step in 0..<steps {
                    let time = isBackward ? steps - 1 - step : step
                    let start = (isBatchFirst ? sample * length + time : time * batch + sample) * features
                    cells.step(x[start..<start + features], &h, &c)
                    let place =
                        isBatchFirst
                        ? (sample * length + time) * count + direction : (time * count + direction) * batch + sample
                    outputs.replaceSubrange(place * units..<(place + 1) * units, with: h)
                }
                lastHidden.replaceSubrange(state..<state + units, with: h)
                lastCell.replaceSubrange(state..<state + units, with: c)
            }
        }
        return zip(types, [outputs, lastHidden, lastCell]).map { type, values in
            Tensor(shape: type.shape, values).converted(to: type.elementType)
        }
    }
}
