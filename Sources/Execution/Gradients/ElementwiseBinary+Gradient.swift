import COneDNN
import Foundation
import Graph
import Tensors

extension ElementwiseBinary: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        let (left, right) = (unit.node.inputs[0], unit.node.inputs[1])
        func first(_ full: () throws -> Operand) throws -> Operand? {
            guard gradients.isNeeded(unit, 0) else { return nil }
            return try gradients.reduced(full(), to: gradients.plan.shape(left))
        }
        func second(_ full: () throws -> Operand) throws -> Operand? {
            guard gradients.isNeeded(unit, 1) else { return nil }
            return try gradients.reduced(full(), to: gradients.plan.shape(right))
        }
        func mapped(_ function: @escaping (Float, Float, Float) -> Float) throws -> Operand {
            try gradients.mapped(
                gradient, gradients.plan.plainOperand(left), gradients.plan.plainOperand(right), function)
        }
        switch function {
        case .add:
            return [try first { gradient }, try second { gradient }]
        case .sub:
            return [try first { gradient }, try gradients.scaledSum(of: gradient, by: -1, unit, 1)]
        case .mul:
            return [
                try first { try gradients.combined(dnnl_binary_mul, gradient, right) },
                try second { try gradients.combined(dnnl_binary_mul, gradient, left) },
            ]
        case .div:
            return [
                try first { try gradients.combined(dnnl_binary_div, gradient, right) },
                try second { try mapped { gradient, a, b in -gradient * a / (b * b) } },
            ]
        case .pow:
            return [
                try first {
                    try mapped { gradient, a, b in b == 0 ? 0 : gradient * b * Foundation.pow(a, b - 1) }
                },
                // Zero to a power of at least zero does not change with the power.
                try second {
                    try mapped { gradient, a, b in
                        a == 0 && b >= 0 ? 0 : gradient * Foundation.pow(a, b) * Foundation.log(a)
                    }
                },
            ]
        case .prelu:
            return [
                try first { try mapped { gradient, a, b in a > 0 ? gradient : gradient * b } },
                try second { try mapped { gradient, a, _ in a > 0 ? 0 : gradient * a } },
            ]
        }
    }
}

extension GradientBuilder {
    /// The gradient, summed to the shape of the unit's input at `index`, then scaled: fewer elements than the other way.
    func scaledSum(of gradient: Operand, by factor: Float, _ unit: Unit, _ index: Int) throws -> Operand? {
        guard isNeeded(unit, index) else { return nil }
        return try scaled(reduced(gradient, to: plan.shape(unit.node.inputs[index])), by: factor)
    }
}
