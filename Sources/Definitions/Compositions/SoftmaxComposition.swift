import Nodes
import Operators
import Tensors

extension Softmax: ComposedOperator {
    /// In half precision the steps of ONNX's function are rounded one by one.
    package func isComposed(of inputs: [OperatorInput?]) -> Bool {
        [.float16, .bfloat16].contains(inputs.first??.type.elementType)
    }

    package func compose(
        _ parts: inout Composition, inputs: [OperatorInput?], types: [ValueType]
    ) throws -> [Composition.Value?] {
        let whole = parts.value(try node.input(inputs, 0))
        let extents = whole.shape.dimensions
        let axis = try node.resolveAxis(axis, rank: extents.count)
        let rows = [extents[..<axis].reduce(1, *), extents[axis...].reduce(1, *)]
        let data = flattens ? try parts.reshape(whole, rows) : whole
        let (axes, keeps) = (parts.integers([flattens ? 1 : axis]), ["keepdims": Attribute.int(1)])
        let logits = try parts.apply("Sub", [data, parts.apply("ReduceMax", [data, axes], keeps)])
        let powers = try parts.apply("Exp", [logits])
        let sums = try parts.apply("ReduceSum", [powers, axes], keeps)
        let result =
            try logarithmic
            ? parts.apply("Sub", [logits, parts.apply("Log", [sums])]) : parts.apply("Div", [powers, sums])
        return [try parts.reshape(result, extents)]
    }
}
