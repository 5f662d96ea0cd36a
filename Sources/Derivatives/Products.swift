import Definitions
import Nodes
import Operators
import TensorFunctions
import Tensors

extension Einsum: DifferentiableDefinition {
    /// Of each operand's element, the sum over all products that it is in of the output's gradient times the other factors.
    package func inputGradients(_ derivative: Derivative) throws -> [Int: Tensor] {
        let (axes, output, extents) = try layout(inputs: derivative.inputs)
        let operands = axes.indices.map(derivative.elements)
        let gradient = derivative.gradient()
        let summed = extents.keys.filter { !output.contains($0) }.sorted()
        let whole = Shape((output + summed).map { extents[$0] ?? 1 })
        // How far a step along each axis goes in each operand; an axis of extent one is the same everywhere.
        let steps = axes.enumerated().map { index, own in
            let shape = derivative.inputs[index]?.type.shape ?? []
            let strides = shape.strides
            return (output + summed).map { axis in
                own.indices.reduce(0) { $0 + (own[$1] == axis && shape[$1] > 1 ? strides[$1] : 0) }
            }
        }
        let terms = summed.reduce(1) { $0 * (extents[$1] ?? 1) }
        var results = operands.map { [Double](repeating: 0, count: $0.count) }
        var number = 0
        var places = [Int](repeating: 0, count: operands.count)
        whole.forEachPosition { position in
            for (index, steps) in steps.enumerated() {
                var place = 0
                for (along, step) in zip(position, steps) { place += along * step }
                places[index] = place
            }
            let factor = gradient[number / terms]
            for index in derivative.needed {
                var product = factor
                for other in operands.indices where other != index { product *= operands[other][places[other]] }
                results[index][places[index]] += product
            }
            number += 1
        }
        var found: [Int: Tensor] = [:]
        for index in derivative.needed { found[index] = derivative.result(results[index], of: index) }
        return found
    }
}

extension ElementwiseBinary: DifferentiableDefinition {
    /// Of a power whose exponent is of another type than its base, which is what plans have no primitive for: b x^(b - 1).
    package func inputGradients(_ derivative: Derivative) throws -> [Int: Tensor] {
        guard case .pow = function, let base = derivative.inputs[0]?.type.shape, let exponents = derivative.value(1)
        else {
            throw GraphError(.unsupportedElementType, expected: "a gradient", found: "none for these types")
        }
        let full = derivative.types[0].shape
        // Which element of the base each is of.
        let numbers = Tensor(shape: base, (0..<base.count).map { Int64($0) }).broadcast(to: full)
        let powers = exponents.broadcast(to: full).converted(to: .float64).elements(as: Double.self)
        let (elements, gradient) = (derivative.elements(0), derivative.gradient())
        var result = [Double](repeating: 0, count: base.count)
        for (index, number) in numbers.elements(as: Int64.self).enumerated() where powers[index] != 0 {
            let x = elements[Int(number)]
            result[Int(number)] += gradient[index] * powers[index] * power(x, powers[index] - 1)
        }
        return [0: derivative.result(result, of: 0)]
    }
}
