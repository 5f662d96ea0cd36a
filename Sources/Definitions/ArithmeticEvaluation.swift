import Nodes
import Operators
import TensorFunctions
import Tensors

extension Tensor {
    /// Nil where `function` is nil for an element.
    fileprivate static func mapped<Number: EvaluatedNumber>(
        _: Number.Type, _ operands: [Tensor], shape: Shape, _ function: (Number, Number) -> Number?
    ) -> Tensor? {
        var values = operands[0].broadcast(to: shape).elements(as: Number.self)
        for operand in operands.dropFirst() {
            for (index, right) in operand.broadcast(to: shape).elements(as: Number.self).enumerated() {
                guard let value = function(values[index], right) else { return nil }
                values[index] = value
            }
        }
        return Tensor(shape: shape, values)
    }
}

extension ElementwiseBinary: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        var operands = inputs.constants
        if operands[1].elementType != types[0].elementType {
            // The exponent of a power, which decides whether an integer's power is one of doubles.
            guard operands[1].elementType.isFloatingPoint, !types[0].elementType.isFloatingPoint else {
                operands[1] = operands[1].converted(to: types[0].elementType)
                return try compute(operands, types)
            }
            let wide = operands.map { $0.converted(to: .float64) }
            return try compute(wide, [ValueType(.float64, types[0].shape)])?.map {
                $0.converted(to: types[0].elementType)
            }
        }
        return try compute(operands, types)
    }

    private func compute(_ operands: [Tensor], _ types: [ValueType]) throws -> [Tensor]? {
        guard let number = evaluatedNumber(types[0].elementType) else {
            return nil
        }
        func compute<Number: EvaluatedNumber>(_ type: Number.Type) -> Tensor? {
            .mapped(type, operands, shape: types[0].shape) { Number.binary(function, $0, $1) }
        }
        return compute(number).map { [$0] }
    }
}

extension ElementwiseVariadic: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        guard let number = evaluatedNumber(types[0].elementType) else { return nil }
        func compute<Number: EvaluatedNumber>(_ type: Number.Type) -> Tensor? {
            .mapped(type, inputs.constants, shape: types[0].shape) { left, right in
                switch function {
                case .sum: Number.binary(.add, left, right)
                case .max: Swift.max(left, right)
                case .min: Swift.min(left, right)
                case .mean: nil
                }
            }
        }
        return compute(number).map { [$0] }
    }
}

extension ElementwiseUnary: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        guard let number = evaluatedNumber(types[0].elementType) else { return nil }
        func compute<Number: EvaluatedNumber>(_ type: Number.Type) -> Tensor? {
            let values = inputs.constants[0].elements(as: Number.self).compactMap { Number.unary(function, $0) }
            return values.count == types[0].shape.count ? Tensor(shape: types[0].shape, values) : nil
        }
        return compute(number).map { [$0] }
    }
}

extension Comparison: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let shape = types[0].shape
        let operands = inputs.constants.map { $0.broadcast(to: shape) }
        let type = operands[0].elementType
        let results: [Bool]
        if type == .bool {
            let truths = operands.map { operand in operand.withUnsafeBytes { $0.map { $0 == 0 ? Int32(0) : 1 } } }
            results = compared(truths[0], truths.count > 1 ? truths[1] : truths[0])
        } else if let number = evaluatedNumber(type) {
            func compute<Number: EvaluatedNumber>(_ type: Number.Type) -> [Bool] {
                compared(operands[0].elements(as: type), operands[1].elements(as: type))
            }
            results = compute(number)
        } else {
            throw GraphError(.unsupportedElementType, at: node, tensor: inputs[0]?.name, found: type.rawValue)
        }
        return [Tensor(shape: shape, results)]
    }

    private func compared<Number: EvaluatedNumber>(_ left: [Number], _ right: [Number]) -> [Bool] {
        zip(left, right).map { a, b in
            switch function {
            case .equal: a == b
            case .greater: a > b
            case .greaterOrEqual: a >= b
            case .less: a < b
            case .lessOrEqual: a <= b
            case .and: a != .zero && b != .zero
            case .or: a != .zero || b != .zero
            case .xor: (a != .zero) != (b != .zero)
            case .not: a == .zero
            }
        }
    }
}

extension Reduce: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let axes = try axes(inputs: inputs)
        if types[0].elementType == .bool {
            // Truth values are ordered: the greatest is true where one is.
            let numbers = inputs.constants[0].converted(to: .uint8)
            return reduced(numbers, UInt8.self, axes: Set(axes), shape: types[0].shape).map {
                [$0.converted(to: .bool)]
            }
        }
        guard let number = evaluatedNumber(types[0].elementType) else { return nil }
        func compute<Number: EvaluatedNumber>(_ type: Number.Type) -> Tensor? {
            reduced(inputs.constants[0], type, axes: Set(axes), shape: types[0].shape)
        }
        return compute(number).map { [$0] }
    }

    private func reduced<Number: EvaluatedNumber>(
        _ input: Tensor, _: Number.Type, axes: Set<Int>, shape: Shape
    ) -> Tensor? {
        // The reduced axes go last; then every result is a function of neighbours.
        let kept = input.shape.dimensions.indices.filter { !axes.contains($0) }
        let order = kept + axes.sorted()
        let strides = input.shape.strides
        let values = input.rearranged(
            shape: Shape(order.map { input.shape[$0] }), strides: order.map { strides[$0] }
        ).elements(as: Number.self)
        let group = axes.reduce(1) { $0 * input.shape[$1] }
        let results = (0..<shape.count).compactMap { index -> Number? in
            Number.reduced(function, values[index * group..<(index + 1) * group])
        }
        return results.count == shape.count ? Tensor(shape: shape, results) : nil
    }
}

extension Clip: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        guard let data = inputs[0]?.constant, let number = evaluatedNumber(data.elementType) else { return nil }
        func compute<Number: EvaluatedNumber>(_: Number.Type) throws -> Tensor {
            if data.elementType == .float32, inputs.count < 2 {
                let bounds = try bounds(inputs: inputs)
                let elements = data.floats.map { min(max($0, bounds.minimum), bounds.maximum) }
                return Tensor(shape: data.shape, elements)
            }
            func bound(_ index: Int) -> Number? {
                (index < inputs.count ? inputs[index]?.constant : nil)?.elements(as: Number.self).first
            }
            let (low, high) = (bound(1), bound(2))
            return Tensor(
                shape: data.shape,
                data.elements(as: Number.self).map { element in
                    var element = element
                    if let low, element < low { element = low }
                    if let high, element > high { element = high }
                    return element
                })
        }
        return [try compute(number)]
    }
}
