import CompositeOperators
import Nodes
import Operators
import Tensors

extension GatedUnit: ComposedOperator {
    package func compose(
        _ parts: inout Composition, inputs: [OperatorInput?], types: [ValueType]
    ) throws -> [Composition.Value?] {
        let gate = parts.value(try node.input(inputs, 0))
        let activated = try parts.apply("Swish", [gate], ["alpha": .float(alpha)])
        return [try parts.multiply(activated, parts.value(try node.input(inputs, 1)))]
    }
}

extension BiasedActivation: ComposedOperator {
    package func compose(
        _ parts: inout Composition, inputs: [OperatorInput?], types: [ValueType]
    ) throws -> [Composition.Value?] {
        let sum = try parts.add(parts.value(node.input(inputs, 0)), parts.value(inputs, 1))
        return [try parts.apply("Gelu", [sum], ["approximate": .string(approximates ? "tanh" : "none")])]
    }
}
