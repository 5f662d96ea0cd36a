import Foundation
import Graph
import Nodes
import Operators
import Primitives
import Tensors

extension ElementwiseBinary: PostOperable, ExecutableOperator {
    var fusesAddition: Bool { false }

    /// The exponent of a power may be of any type.
    func isExecutable(_ unit: Unit, in graph: SpecializedGraph) -> Bool {
        unit.node.inputs.allSatisfy { graph.types[$0]?.elementType == .float32 }
    }

    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        try plan.buildBinary(unit, function, unit.node.inputs[0], unit.node.inputs[1])
    }
}

extension ElementwiseBinary.Function {
    /// oneDNN's algorithm, and whether the operands may change places.
    fileprivate var oneDNN: (algorithm: Algorithm.Binary, commutes: Bool)? {
        switch self {
        case .add: (.add, true)
        case .sub: (.subtract, false)
        case .mul: (.multiply, true)
        case .div: (.divide, false)
        case .pow, .prelu, .mod: nil
        }
    }

    /// The function by its definition in the ONNX specification.
    fileprivate var scalar: (Float, Float) -> Float {
        switch self {
        case .add: { $0 + $1 }
        case .sub: { $0 - $1 }
        case .mul: { $0 * $1 }
        case .div: { $0 / $1 }
        case .pow: { Float(power(Double($0), Double($1))) }
        case .prelu: { $0 < 0 ? $0 * $1 : $0 }
        case .mod(let truncates):
            { left, right in
                let rest = left.truncatingRemainder(dividingBy: right)
                return !truncates && rest != 0 && (rest < 0) != (right < 0) ? rest + right : rest
            }
        }
    }
}

extension PlanBuilder {
    fileprivate func buildBinary(
        _ unit: Unit, _ function: ElementwiseBinary.Function, _ left: String, _ right: String
    ) throws {
        let shape = try shape(unit.outputs[0])
        var (first, second) = (left, right)
        guard let oneDNN = function.oneDNN else { return try buildNativeBinary(unit, function, left, right) }
        if oneDNN.commutes {
            // The first operand gives the layout: the one of full shape, rather computed than constant.
            let firstFits = try self.shape(first) == shape
            let secondFits = try self.shape(second) == shape
            if secondFits, !firstFits || constant(first) != nil { swap(&first, &second) }
        }
        guard try self.shape(first) == shape, shape.rank > 0 else {
            return try buildNativeBinary(unit, function, left, right)
        }
        let source = try operand(first)
        let addend = try broadcastOperand(second, onto: source.layout)
        let target =
            source.layout.paddingCount > 0
            ? allocate(source.layout) : try allocate(source.layout, overwriting: first, usedBy: unit)
        try emitBinary(oneDNN.algorithm, source, addend, to: target, post: unit.post)
        define(unit.outputs[0], at: target)
    }

    /// Row-major loop with broadcasting of both operands.
    private func buildNativeBinary(
        _ unit: Unit, _ function: ElementwiseBinary.Function, _ left: String, _ right: String
    ) throws {
        let shape = try shape(unit.outputs[0])
        let (a, b) = (try plainOperand(left), try plainOperand(right))
        let target = allocate(try MemoryDescriptor(plain: shape))
        let indices = (
            BroadcastIndices(of: try self.shape(left), in: shape),
            BroadcastIndices(of: try self.shape(right), in: shape)
        )
        let scalar = function.scalar
        emit([a, b, target]) { pointers in
            for index in 0..<shape.count {
                pointers[2][index] = scalar(pointers[0][indices.0[index]], pointers[1][indices.1[index]])
            }
        }
        try emitFunctions(unit.post, on: target)
        define(unit.outputs[0], at: target)
    }
}

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
                try first { try gradients.combined(.multiply, gradient, right) },
                try second { try gradients.combined(.multiply, gradient, left) },
            ]
        case .div:
            return [
                try first { try gradients.combined(.divide, gradient, right) },
                try second { try mapped { gradient, a, b in -gradient * a / (b * b) } },
            ]
        case .pow:
            return [
                try first {
                    try mapped { gradient, a, b in
                        b == 0 ? 0 : gradient * b * Float(power(Double(a), Double(b) - 1))
                    }
                },
                // Zero to a power of at least zero does not change with the power.
                try second {
                    try mapped { gradient, a, b in
                        a == 0 && b >= 0 ? 0 : gradient * Float(power(Double(a), Double(b)) * logarithm(Double(a)))
                    }
                },
            ]
        case .prelu:
            return [
                try first { try mapped { gradient, a, b in a > 0 ? gradient : gradient * b } },
                try second { try mapped { gradient, a, _ in a > 0 ? 0 : gradient * a } },
            ]
        case .mod(let truncates):
            let direction: FloatingPointRoundingRule = truncates ? .towardZero : .down
            return [
                try first { gradient },
                try second { try mapped { gradient, a, b in -gradient * (a / b).rounded(direction) } },
            ]
        }
    }
}

extension ElementwiseVariadic: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let shape = try plan.shape(unit.outputs[0])
        let algorithm: Algorithm.Binary =
            switch function {
            case .max: .max
            case .min: .min
            case .sum, .mean: .add
            }
        let scale = function == .mean ? 1 / Float(unit.node.inputs.count) : 1
        let mean: [PostOperation] = scale == 1 ? [] : [.eltwise(.linear, alpha: scale, beta: 0)]
        if unit.node.inputs.count == 1 {
            return try plan.alias(unit.outputs[0], to: plan.operand(unit.node.inputs[0]))
        }
        // The first operand of full shape is the accumulator; all these functions commute.
        guard
            let first = try unit.node.inputs.firstIndex(where: { try plan.shape($0) == shape })
        else {
            throw ExecutionError(.unsupportedForm, expected: "an input of the output's shape")
        }
        let rest = unit.node.inputs.indices.filter { $0 != first }
        var accumulator = try plan.operand(unit.node.inputs[first])
        for (step, index) in rest.enumerated() {
            let operand = try plan.broadcastOperand(unit.node.inputs[index], onto: accumulator.layout)
            let target = plan.allocate(accumulator.layout)
            try plan.emitBinary(
                algorithm, accumulator, operand, to: target, post: step == rest.count - 1 ? mean : [])
            accumulator = target
        }
        plan.define(unit.outputs[0], at: accumulator)
    }
}

extension ElementwiseVariadic: DifferentiableOperator {
    func gradientReadsOutput(_ unit: Unit, in graph: SpecializedGraph) -> Bool { function == .max || function == .min }

    /// Of inputs that share the maximum or minimum, each gets an equal part of the gradient.
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        let inputs = unit.node.inputs
        switch function {
        case .sum: return try inputs.indices.map { try gradients.scaledSum(of: gradient, by: 1, unit, $0) }
        case .mean:
            let share = 1 / Float(inputs.count)
            return try inputs.indices.map { try gradients.scaledSum(of: gradient, by: share, unit, $0) }
        case .max, .min:
            let winners = try gradients.countWinners(unit, full: gradient.layout.shape)
            let output = try gradients.producedOutput(unit)
            return try inputs.indices.map { index in
                guard gradients.isNeeded(unit, index) else { return nil }
                let share = try gradients.mapped(gradient, output, winners) { gradient, _, count in gradient / count }
                let own = try gradients.mapped(share, output, gradients.plan.plainOperand(inputs[index])) {
                    $1 == $2 ? $0 : 0
                }
                return try gradients.reduced(own, to: gradients.plan.shape(inputs[index]))
            }
        }
    }
}

extension GradientBuilder {
    /// How many of the unit's inputs equal its output, for each element.
    fileprivate func countWinners(_ unit: Unit, full: Shape) throws -> Operand {
        let output = try producedOutput(unit)
        var count = zeros(try MemoryDescriptor(plain: full))
        for input in unit.node.inputs {
            count = try mapped(count, output, plan.plainOperand(input)) { $1 == $2 ? $0 + 1 : $0 }
        }
        return count
    }
}
