import Nodes
import Operators
import TensorFunctions
import Tensors

extension Scatter: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let (data, updates) = (inputs.constants[0], inputs.constants[2])
        let targets = try targets(inputs: inputs)
        guard reduction != .none else { return [data.scattering(updates, to: targets)] }
        guard let number = evaluatedNumber(data.elementType) else { return nil }
        func compute<Number: EvaluatedNumber>(_ type: Number.Type) -> Tensor {
            data.scattering(updates, to: targets, as: type) { old, new in
                switch reduction {
                case .none: new
                case .add: Number.binary(.add, old, new) ?? new
                case .mul: Number.binary(.mul, old, new) ?? new
                case .max: Swift.max(old, new)
                case .min: Swift.min(old, new)
                }
            }
        }
        return [compute(number)]
    }
}

extension TensorScatter: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let (cache, update) = (inputs.constants[0], inputs.constants[1])
        let axis = try node.resolveAxis(axis, rank: cache.shape.rank)
        let (rows, new) = (AxisRows(cache.shape, axis: axis), AxisRows(update.shape, axis: axis))
        let starts = try node.constantInts(inputs, 2)
        // The first axis is the outermost of those before the axis.
        let rowsOfSample = max(rows.count / max(cache.shape[0], 1), 1)
        var targets = [Int](repeating: 0, count: update.count)
        for row in 0..<new.count {
            let start = starts?[row / rowsOfSample] ?? 0
            let (last, overflow) = start.addingReportingOverflow(new.extent)
            guard start >= 0, !overflow, isCircular || last <= rows.extent else {
                throw GraphError(
                    .invalidInput, at: node, tensor: inputs[2]?.name,
                    expected: "places of \(new.extent) within \(rows.extent)", found: "\(start)")
            }
            for index in 0..<new.extent {
                targets[new.place(row: row, index)] = rows.place(row: row, (start + index) % max(rows.extent, 1))
            }
        }
        return [cache.scattering(update, to: targets)]
    }
}
