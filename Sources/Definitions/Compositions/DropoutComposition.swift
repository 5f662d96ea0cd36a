import Nodes
import Operators
import Tensors

extension Reshaping: ComposedOperator {
    /// Only a Dropout whose mask is asked for; the mask is true everywhere.
    package func isComposed(of inputs: [OperatorInput?]) -> Bool {
        kind == .dropout && node.outputs.count > 1 && !node.outputs[1].isEmpty
    }

    package func compose(
        _ parts: inout Composition, inputs: [OperatorInput?], types: [ValueType]
    ) throws -> [Composition.Value?] {
        let data = parts.value(try node.input(inputs, 0))
        let mask = try parts.apply(
            "Expand", [parts.constant(Tensor(shape: [], [true])), parts.integers(data.shape.dimensions)])
        return [data, mask]
    }
}
