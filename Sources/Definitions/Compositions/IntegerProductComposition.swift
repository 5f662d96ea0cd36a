import CompositeOperators
import Nodes
import Operators
import Tensors

extension IntegerProduct: ComposedOperator {
    package static var isDifferentiable: Bool { false }

    /// The product of integers without their zero points, which is exact in 32 bits as far as ONNX promises it.
    package func compose(
        _ parts: inout Composition, inputs: [OperatorInput?], types: [ValueType]
    ) throws -> [Composition.Value?] {
        let data = try operand(&parts, inputs, places.data, zero: places.dataZero, isTurned: transposes.data)
        let weight = try operand(&parts, inputs, places.weight, zero: places.weightZero, isTurned: transposes.weight)
        var sums = try parts.apply(isConvolution ? "Conv" : "MatMul", [data, weight], attributes)
        guard let dataScale = places.dataScale, let weightScale = places.weightScale else { return [sums] }
        let bias = places.bias.flatMap { parts.value(inputs, $0) }
        if places.outputScale != nil, let bias {
            let extents =
                isConvolution
                ? [bias.shape[0]] + sums.shape.dimensions.dropFirst(2).map { _ in 1 } : bias.shape.dimensions
            sums = try parts.add(sums, parts.reshape(bias, extents))
        }
        func scale(_ index: Int, of operand: Composition.Value, isData: Bool) throws -> Composition.Value {
            var scale = parts.value(try node.input(inputs, index))
            scale = try parts.reshape(
                scale, (parameterShape(scale.shape, of: operand.shape, isData: isData) ?? []).dimensions)
            // The features of a convolution are the second axis of its output.
            if isConvolution, scale.shape.rank > 1 {
                scale = try parts.reshape(scale, Array(scale.shape.dimensions.dropLast()))
            }
            return try parts.cast(scale, to: .float32)
        }
        var factor = try parts.multiply(
            scale(dataScale, of: data, isData: true), scale(weightScale, of: weight, isData: false))
        factor = try parts.scale(factor, by: Double(alpha))
        if isQuantized, let index = places.outputScale, let step = parts.value(inputs, index) {
            factor = try parts.apply("Div", [factor, parts.cast(parts.reshape(step, []), to: .float32)])
        }
        let numbers = try parts.multiply(parts.cast(sums, to: .float32), factor)
        guard isQuantized else { return [try parts.add(numbers, places.outputScale == nil ? bias : nil)] }
        return [
            try parts.quantize(
                numbers, as: types[0].elementType, zero: places.outputZero.flatMap { parts.value(inputs, $0) })
        ]
    }

    private func operand(
        _ parts: inout Composition, _ inputs: [OperatorInput?], _ index: Int, zero: Int?, isTurned: Bool
    ) throws -> Composition.Value {
        var wide = try parts.cast(parts.value(try node.input(inputs, index)), to: .int32)
        if isTurned { wide = try parts.transpose(wide, [1, 0]) }
        guard let zero = zero.flatMap({ parts.value(inputs, $0) }) else { return wide }
        let shape = parameterShape(zero.shape, of: wide.shape, isData: index == places.data) ?? []
        return try parts.apply("Sub", [wide, parts.cast(parts.reshape(zero, shape.dimensions), to: .int32)])
    }
}

extension Composition {
    /// Numbers in steps of `scale`, one without, rounded and with a zero point that may be absent.
    mutating func quantize(
        _ numbers: Value, as type: ElementType, scale: Value? = nil, zero: Value?
    ) throws -> Value {
        let offset = try zero.map { try reshape($0, []) } ?? number(0, type)
        let step = try scale.map { try reshape($0, []) } ?? number(1, .float32)
        return try apply("QuantizeLinear", [numbers, step, offset])
    }
}
