import CompositeOperators
import Nodes
import Operators
import Tensors

extension EmbeddingNormalization: ComposedOperator {
    package static var isDifferentiable: Bool { false }

    package func compose(
        _ parts: inout Composition, inputs: [OperatorInput?], types: [ValueType]
    ) throws -> [Composition.Value?] {
        let words = parts.value(try node.input(inputs, 0))
        var sum = try parts.apply("Gather", [parts.value(node.input(inputs, 2)), words])
        let table = parts.value(try node.input(inputs, 3))
        if let places = parts.value(inputs, 8) {
            sum = try parts.add(sum, parts.apply("Gather", [table, places]))
        } else {
            let length = words.shape[1]
            sum = try parts.add(
                sum, parts.apply("Slice", [table, parts.integers([0]), parts.integers([length]), parts.integers([0])]))
        }
        if let segments = parts.value(inputs, 1), let table = parts.value(inputs, 4) {
            sum = try parts.add(sum, parts.apply("Gather", [table, segments]))
        }
        let result = try parts.apply(
            "LayerNormalization", [sum, parts.value(inputs, 5), parts.value(inputs, 6)], ["epsilon": .float(epsilon)])
        return [result, nil, sum]
    }
}
