import Nodes
import Operators
import TensorFunctions
import Tensors

extension DiscreteFourierTransform: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        guard let data = inputs[0]?.constant else { return nil }
        guard isShortTime else {
            let (axis, form) = try form(inputs: inputs)
            return [FourierTransform.transform(data, axis: axis, form, shape: types[0].shape)]
        }
        let (starts, form) = try frames(inputs: inputs)
        let (batch, extent, parts) = (data.shape[0], data.shape[1], data.shape[2])
        let elements = data.converted(to: .float64).elements(as: Double.self)
        let window = (inputs.count > 2 ? inputs[2]?.constant : nil)?.converted(to: .float64).elements(as: Double.self)
        var stretches: [Double] = []
        stretches.reserveCapacity(batch * starts.count * form.length * parts)
        for sample in 0..<batch {
            for start in starts {
                for place in 0..<form.length {
                    let weight = window?[place] ?? 1
                    let number = (sample * extent + start + place) * parts
                    for part in 0..<parts { stretches.append(elements[number + part] * weight) }
                }
            }
        }
        let framed = Tensor(shape: [batch, starts.count, form.length, parts], stretches)
        return [
            FourierTransform.transform(framed, axis: 2, form, shape: types[0].shape)
                .converted(to: types[0].elementType)
        ]
    }
}
