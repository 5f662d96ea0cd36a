import CompositeOperators
import Nodes
import Operators
import Tensors

extension FusedProduct: ComposedOperator {
    package func compose(
        _ parts: inout Composition, inputs: [OperatorInput?], types: [ValueType]
    ) throws -> [Composition.Value?] {
        guard product.opType == "MatMul" else { return [try activated(&parts, inputs)] }
        var (left, right) = (parts.value(try node.input(inputs, 0)), parts.value(try node.input(inputs, 1)))
        if left.shape.rank == 2, right.shape.rank == 2 {
            // In place, so that a weight stays the constant that is trained.
            let attributes: [String: Attribute] = [
                "alpha": .float(alpha), "transA": .int(transposes.left ? 1 : 0),
                "transB": .int(transposes.right ? 1 : 0),
            ]
            return [try parts.apply("Gemm", [left, right], attributes)]
        }
        if transposes.left { left = try turned(left, &parts) }
        if transposes.right { right = try turned(right, &parts) }
        return [try parts.scale(parts.apply("MatMul", [left, right]), by: Double(alpha))]
    }

    private func turned(_ value: Composition.Value, _ parts: inout Composition) throws -> Composition.Value {
        var order = Array(0..<value.shape.rank)
        order.swapAt(order.count - 1, order.count - 2)
        return try parts.transpose(value, order)
    }

    private func activated(_ parts: inout Composition, _ inputs: [OperatorInput?]) throws -> Composition.Value {
        let operands = (0..<3).map { parts.value(inputs, $0) }
        var result = try parts.apply(
            product.opType, operands[2] == nil ? Array(operands[..<2]) : operands, product.attributes)
        result = try parts.add(result, parts.value(inputs, 3))
        guard let activation else { return result }
        guard activation.opType == "Clip" else {
            return try parts.apply(activation.opType, [result], activation.attributes)
        }
        let bounds = ["min", "max"].map { name -> Composition.Value? in
            guard case .float(let bound)? = activation.attributes[name] else { return nil }
            return parts.number(Double(bound), result.type.elementType)
        }
        return try parts.apply("Clip", [result] + bounds)
    }
}
