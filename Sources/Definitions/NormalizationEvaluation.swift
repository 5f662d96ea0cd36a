import Nodes
import Operators
import TensorFunctions
import Tensors

extension LayerNormalization: EvaluatedOperator {
    /// Sums in double precision, in the order of the elements.
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        guard let data = inputs[0]?.constant, let scale = inputs[1]?.constant else { return nil }
        let axis = try node.resolveAxis(axis, rank: data.shape.rank)
        let normalized = Shape(Array(data.shape.dimensions[axis...]))
        let scales = scale.broadcast(to: normalized).converted(to: .float64).elements(as: Double.self)
        let shifts = (inputs.count > 2 ? inputs[2]?.constant : nil)?.broadcast(to: normalized).converted(to: .float64)
            .elements(as: Double.self)
        var elements = data.converted(to: .float64).elements(as: Double.self)
        var (means, inverses): ([Float], [Float]) = ([], [])
        let size = normalized.count
        for row in 0..<(size == 0 ? 0 : elements.count / size) {
            let range = row * size..<(row + 1) * size
            let (mean, inverse) = Self.statistics(elements[range], epsilon: Double(epsilon))
            for index in range {
                elements[index] = (elements[index] - mean) * inverse * scales[index - range.lowerBound]
                if let shifts { elements[index] += shifts[index - range.lowerBound] }
            }
            means.append(Float(mean))
            inverses.append(Float(inverse))
        }
        let statistics = types.count > 1 ? types[1].shape : [means.count]
        return [
            Tensor(shape: data.shape, elements).converted(to: types[0].elementType),
            Tensor(shape: statistics, means), Tensor(shape: statistics, inverses),
        ]
    }

    /// Mean, and one over the standard deviation.
    fileprivate static func statistics(_ row: ArraySlice<Double>, epsilon: Double) -> (mean: Double, inverse: Double) {
        let mean = row.reduce(0, +) / Double(row.count)
        let variance = row.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(row.count)
        return (mean, 1 / (variance + epsilon).squareRoot())
    }
}

extension BatchNormalization: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let operands = inputs.constants.map { $0.converted(to: .float64).elements(as: Double.self) }
        let shape = types[0].shape
        let channels = shape.rank > 1 ? shape[1] : 1
        let pixels = shape.dimensions.dropFirst(2).reduce(1, *)
        let factors = (0..<channels).map { operands[1][$0] / (operands[4][$0] + Double(epsilon)).squareRoot() }
        let values = operands[0].enumerated().map { index, value in
            let channel = index / pixels % channels
            return (value - operands[3][channel]) * factors[channel] + operands[2][channel]
        }
        return [Tensor(shape: shape, values).converted(to: types[0].elementType)]
    }
}

extension LocalResponseNormalization: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let data = inputs.constants[0]
        let rows = AxisRows(data.shape, axis: 1)
        let elements = data.converted(to: .float64).elements(as: Double.self)
        var results = elements
        for row in 0..<rows.count {
            for channel in 0..<rows.extent {
                let near = max(channel - (size - 1) / 2, 0)...min(channel + size / 2, rows.extent - 1)
                let sum = near.reduce(0.0) { sum, other in
                    let value = elements[rows.place(row: row, other)]
                    return sum + value * value
                }
                let scale = Double(bias) + Double(alpha) / Double(size) * sum
                results[rows.place(row: row, channel)] /= power(scale, Double(beta))
            }
        }
        return [Tensor(shape: data.shape, results).converted(to: types[0].elementType)]
    }
}

extension GroupedNormalization: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let (data, scale, shift) = (inputs.constants[0], inputs.constants[1], inputs.constants[2])
        let (samples, channels) = (data.shape[0], data.shape[1])
        let pixels = data.shape.dimensions[2...].reduce(1, *)
        let groups = groups(channels: channels)
        let size = channels / groups * pixels
        let parameters = [scale, shift].map { $0.converted(to: .float64).elements(as: Double.self) }
        var elements = data.converted(to: .float64).elements(as: Double.self)
        for group in 0..<(size == 0 ? 0 : samples * groups) {
            let range = group * size..<(group + 1) * size
            let (mean, inverse) = LayerNormalization.statistics(elements[range], epsilon: Double(epsilon))
            for index in range {
                let channel = index / pixels % channels
                let parameter = isPerGroup ? channel / (channels / groups) : channel
                elements[index] =
                    (elements[index] - mean) * inverse * parameters[0][parameter] + parameters[1][parameter]
            }
        }
        return [Tensor(shape: data.shape, elements).converted(to: types[0].elementType)]
    }
}

extension NormNormalization: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let data = inputs.constants[0]
        var elements = data.converted(to: .float64).elements(as: Double.self)
        switch kind {
        case .norm(let axis, let order):
            let rows = AxisRows(data.shape, axis: try node.resolveAxis(axis, rank: data.shape.rank))
            for row in 0..<rows.count {
                let places = (0..<rows.extent).map { rows.place(row: row, $0) }
                let sum = places.reduce(0.0) { sum, place in
                    sum + (order == 1 ? elements[place].magnitude : elements[place] * elements[place])
                }
                let norm = order == 1 ? sum : sum.squareRoot()
                for place in places { elements[place] = norm == 0 ? 0 : elements[place] / norm }
            }
        case .rootMeanSquare(let axis, let epsilon):
            let axis = try node.resolveAxis(axis, rank: data.shape.rank)
            let normalized = Shape(Array(data.shape.dimensions[axis...]))
            let scales = inputs.constants[1].broadcast(to: normalized).converted(to: .float64).elements(as: Double.self)
            let size = normalized.count
            for row in 0..<(size == 0 ? 0 : elements.count / size) {
                let range = row * size..<(row + 1) * size
                let mean = elements[range].reduce(0) { $0 + $1 * $1 } / Double(size)
                let inverse = 1 / (mean + Double(epsilon)).squareRoot()
                for index in range { elements[index] *= inverse * scales[index - range.lowerBound] }
            }
        case .meanAndVariance(let axes):
            let axes = try node.resolveAxes(axes, rank: data.shape.rank)
            var groups: [Int: [Int]] = [:]
            var kept = data.shape.dimensions
            for axis in axes { kept[axis] = 1 }
            let small = Shape(kept)
            var index = 0
            data.shape.forEachPosition { position in
                var place = position
                for axis in axes { place[axis] = 0 }
                groups[small.place(of: place), default: []].append(index)
                index += 1
            }
            for places in groups.values {
                let mean = places.reduce(0) { $0 + elements[$1] } / Double(places.count)
                let variance = places.reduce(0) { $0 + (elements[$1] - mean) * (elements[$1] - mean) }
                let deviation = (variance / Double(places.count)).squareRoot() + 1e-9
                for place in places { elements[place] = (elements[place] - mean) / deviation }
            }
        }
        return [Tensor(shape: data.shape, elements).converted(to: types[0].elementType)]
    }
}
