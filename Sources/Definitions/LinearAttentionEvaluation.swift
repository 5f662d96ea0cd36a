import Nodes
import Operators
import TensorFunctions
import Tensors

extension LinearAttention: EvaluatedOperator {
    /// In double precision, position by position.
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        func numbers(_ index: Int) -> [Double]? {
            (index < inputs.count ? inputs[index]?.constant : nil)?.factors(Double.self)
        }
        guard let query = numbers(0), let key = numbers(1), let value = numbers(2) else { return nil }
        let state = types[1].shape
        let (batch, length, size, width) = (state[0], types[0].shape[1], state[2], state[3])
        let (decay, rate) = (numbers(4), numbers(5))
        let decayWidth = decay == nil ? 0 : inputs[4]?.type.shape[2] ?? 0
        let rateWidth = rate == nil ? 0 : inputs[5]?.type.shape[2] ?? 0
        var states = numbers(3) ?? [Double](repeating: 0, count: state.count)
        var outputs = [Double](repeating: 0, count: types[0].shape.count)
        let (scale, shared) = (scale(size: size), heads / groups)
        for sample in 0..<batch {
            for time in 0..<length {
                let step = sample * length + time
                for group in 0..<groups {
                    let matrix = (sample * groups + group) * size * width
                    let (keys, values) = ((step * groups + group) * size, (step * groups + group) * width)
                    if let decay {
                        for row in 0..<size {
                            let place = decayWidth == groups ? group : group * size + row
                            let factor = exponential(decay[step * decayWidth + place])
                            for column in 0..<width { states[matrix + row * width + column] *= factor }
                        }
                    }
                    for column in 0..<width {
                        var new = value[values + column]
                        if let rate {
                            // What the state has for this key already.
                            for row in 0..<size { new -= states[matrix + row * width + column] * key[keys + row] }
                            new *= rate[step * rateWidth + (rateWidth == 1 ? 0 : group)]
                        }
                        for row in 0..<size { states[matrix + row * width + column] += key[keys + row] * new }
                    }
                    for head in group * shared..<(group + 1) * shared {
                        let queries = (step * heads + head) * size
                        for column in 0..<width {
                            var sum = 0.0
                            for row in 0..<size { sum += query[queries + row] * states[matrix + row * width + column] }
                            outputs[(step * heads + head) * width + column] = scale * sum
                        }
                    }
                }
            }
        }
        return zip(types, [outputs, states]).map { type, values in
            Tensor(shape: type.shape, values).converted(to: type.elementType)
        }
    }
}
