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
                self, direction, units: units, features: features,
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

/// The cells of one direction.
private struct RecurrentCells {
    let kind: Recurrence
    let functions: [RecurrentActivation]
    let units, features: Int
    let weights, recurrent: [Double]
    let biases, peepholes: [Double]?

    init(
        _ kind: Recurrence, _ direction: Int, units: Int, features: Int, weights: [Double], recurrent: [Double],
        biases: [Double]?, peepholes: [Double]?
    ) {
        (self.kind, self.units, self.features) = (kind, units, features)
        functions = kind.activations[direction]
        (self.weights, self.recurrent, self.biases, self.peepholes) = (weights, recurrent, biases, peepholes)
    }

    private func clipped(_ x: Double) -> Double {
        kind.clip.map { min(max(x, -Double($0)), Double($0)) } ?? x
    }

    /// W x + its bias, of one row.
    private func input(_ row: Int, _ x: ArraySlice<Double>) -> Double {
        var sum = biases?[row] ?? 0
        for (index, value) in zip(row * features..<(row + 1) * features, x) { sum += weights[index] * value }
        return sum
    }

    /// R h + its bias, of one row.
    private func memory(_ row: Int, _ h: [Double]) -> Double {
        var sum = biases?[kind.gates * units + row] ?? 0
        for (index, value) in zip(row * units..<(row + 1) * units, h) { sum += recurrent[index] * value }
        return sum
    }

    /// One step of the sequence.
    func step(_ x: ArraySlice<Double>, _ h: inout [Double], _ c: inout [Double]) {
        let before = h
        switch kind.node.opType {
        case "LSTM":
            for unit in 0..<units {
                // Gates in W and R: input, output, forget, cell; in P: input, output, forget.
                func gate(_ index: Int) -> Double {
                    input(index * units + unit, x) + memory(index * units + unit, before)
                }
                func seen(_ index: Int, _ c: Double) -> Double { (peepholes?[index * units + unit] ?? 0) * c }
                let taken = functions[0].value(clipped(gate(0) + seen(0, c[unit])))
                let kept =
                    kind.couplesGates ? 1 - taken : functions[0].value(clipped(gate(2) + seen(2, c[unit])))
                c[unit] = kept * c[unit] + taken * functions[1].value(clipped(gate(3)))
                let shown = functions[0].value(clipped(gate(1) + seen(1, c[unit])))
                h[unit] = shown * functions[2].value(c[unit])
            }
        case "GRU":
            let resets = (0..<units).map {
                functions[0].value(clipped(input(units + $0, x) + memory(units + $0, before)))
            }
            let reset = zip(resets, before).map(*)
            for unit in 0..<units {
                let update = functions[0].value(clipped(input(unit, x) + memory(unit, before)))
                let row = 2 * units + unit
                let remembered =
                    kind.resetsAfterProduct ? resets[unit] * memory(row, before) : memory(row, reset)
                let new = functions[1].value(clipped(input(row, x) + remembered))
                h[unit] = (1 - update) * new + update * before[unit]
            }
        default:
            for unit in 0..<units { h[unit] = functions[0].value(clipped(input(unit, x) + memory(unit, before))) }
        }
    }
}
