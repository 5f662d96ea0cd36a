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
