import Nodes
import Operators
import TensorFunctions
import Tensors

// Functions of the elements along an axis.

extension ExtremePlace: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let data = inputs.constants[0]
        guard let number = evaluatedNumber(data.elementType) else { return nil }
        let rows = AxisRows(data.shape, axis: try node.resolveAxis(axis, rank: data.shape.rank))
        func compute<Number: EvaluatedNumber>(_: Number.Type) -> [Int64] {
            let elements = data.elements(as: Number.self)
            return (0..<rows.count).map { row in
                var best = 0
                for index in 1..<max(rows.extent, 1) {
                    let (new, old) = (elements[rows.place(row: row, index)], elements[rows.place(row: row, best)])
                    if node.opType == "ArgMax" ? new > old : new < old { best = index }
                    if takesLast, new == old { best = index }
                }
                return Int64(best)
            }
        }
        return [Tensor(shape: types[0].shape, compute(number))]
    }
}

extension Accumulation: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let data = inputs.constants[0]
        guard let number = evaluatedNumber(data.elementType) else { return nil }
        let rows = AxisRows(data.shape, axis: try axis(inputs: inputs))
        let isSum = node.opType == "CumSum"
        func compute<Number: EvaluatedNumber>(_: Number.Type) -> Tensor {
            var elements = data.elements(as: Number.self)
            for row in 0..<rows.count {
                var sum: Number = isSum ? .zero : .one
                for step in 0..<rows.extent {
                    let place = rows.place(row: row, isReversed ? rows.extent - 1 - step : step)
                    let next = Number.binary(isSum ? .add : .mul, sum, elements[place]) ?? sum
                    elements[place] = isExclusive ? sum : next
                    sum = next
                }
            }
            return Tensor(shape: data.shape, elements)
        }
        return [compute(number)]
    }
}

extension Ranking: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let data = inputs.constants[0]
        guard let number = evaluatedNumber(data.elementType) else { return nil }
        let axis = try node.resolveAxis(axis, rank: data.shape.rank)
        let (rows, taken) = (AxisRows(data.shape, axis: axis), AxisRows(types[0].shape, axis: axis))
        func compute<Number: EvaluatedNumber>(_: Number.Type) -> (sources: [Int], places: [Int64]) {
            let elements = data.elements(as: Number.self)
            var sources = [Int](repeating: 0, count: types[0].shape.count)
            var places = [Int64](repeating: 0, count: sources.count)
            for row in 0..<rows.count {
                let order = rows.ranking(elements, row: row, takesLargest: takesLargest)
                for index in 0..<taken.extent {
                    sources[taken.place(row: row, index)] = rows.place(row: row, order[index])
                    places[taken.place(row: row, index)] = Int64(order[index])
                }
            }
            return (sources, places)
        }
        let (sources, places) = compute(number)
        return [data.picking(sources, shape: types[0].shape), Tensor(shape: types[0].shape, places)]
    }
}

extension Hardmax: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let data = inputs.constants[0]
        let axis = try node.resolveAxis(axis, rank: data.shape.rank)
        let extents = data.shape.dimensions
        let shape = flattens ? Shape([extents[..<axis].reduce(1, *), extents[axis...].reduce(1, *)]) : data.shape
        let rows = AxisRows(shape, axis: flattens ? 1 : axis)
        let elements = data.floats
        var result = [Float](repeating: 0, count: elements.count)
        for row in 0..<rows.count where rows.extent > 0 {
            let best = (1..<max(rows.extent, 1)).reduce(0) { best, index in
                elements[rows.place(row: row, index)] > elements[rows.place(row: row, best)] ? index : best
            }
            result[rows.place(row: row, best)] = 1
        }
        return [Tensor(shape: data.shape, result).converted(to: types[0].elementType)]
    }
}

extension OneHot: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let (indices, values) = (inputs.constants[0].converted(to: .float64), inputs.constants[2])
        let rows = AxisRows(types[0].shape, axis: try node.resolveAxis(axis, rank: types[0].shape.rank))
        var sources = [Int](repeating: 0, count: types[0].shape.count)
        for (row, number) in indices.elements(as: Double.self).enumerated() {
            let index = number < 0 ? number + Double(rows.extent) : number
            // An index beyond the depth has a row without the on value.
            guard let place = Int(exactly: index), 0..<rows.extent ~= place else { continue }
            sources[rows.place(row: row, place)] = 1
        }
        return [values.picking(sources, shape: types[0].shape)]
    }
}

extension Softmax: EvaluatedOperator {
    /// In double precision, less the largest of a row, so that nothing overflows.
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let data = inputs.constants[0]
        let axis = try node.resolveAxis(axis, rank: data.shape.rank)
        let extents = data.shape.dimensions
        let shape = flattens ? Shape([extents[..<axis].reduce(1, *), extents[axis...].reduce(1, *)]) : data.shape
        let rows = AxisRows(shape, axis: flattens ? 1 : axis)
        var elements = data.factors(Double.self)
        for row in 0..<rows.count {
            let places = (0..<rows.extent).map { rows.place(row: row, $0) }
            let largest = places.reduce(-Double.infinity) { max($0, elements[$1]) }
            let sum = places.reduce(0.0) { $0 + exponential(elements[$1] - largest) }
            let logarithm = logarithmic ? logarithm(sum) : 0
            for place in places {
                let difference = elements[place] - largest
                elements[place] = logarithmic ? difference - logarithm : exponential(difference) / sum
            }
        }
        return [Tensor(shape: data.shape, elements).converted(to: types[0].elementType)]
    }
}
