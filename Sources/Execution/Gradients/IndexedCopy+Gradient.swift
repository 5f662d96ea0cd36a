import Graph
import Tensors

extension GradientBuilder {
    /// The gradient of an operator that only picks elements: each output element's gradient is added to that of the element
    /// that was picked, in the order of the output.
    fileprivate func scattered(_ unit: Unit, _ gradient: Operand) throws -> Operand {
        guard let sources = tape.sources[unit.outputs[0]] else {
            throw ExecutionError(.library, operation: "indices of the forward pass")
        }
        let shape = try plan.shape(unit.node.inputs[0])
        let target = plan.allocate(try MemoryDescriptor(plain: shape))
        plan.emit([try plain(gradient), target]) { pointers in
            pointers[1].update(repeating: 0, count: shape.count)
            for (index, source) in sources.enumerated() where source >= 0 {
                pointers[1][Int(source)] += pointers[0][index]
            }
        }
        return target
    }
}

extension Slice: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        try outputs.map { try $0.map { try gradients.scattered(unit, $0) } }
    }
}

extension Gather: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        try outputs.map { try $0.map { try gradients.scattered(unit, $0) } }
    }
}

extension Pad: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        try outputs.map { try $0.map { try gradients.scattered(unit, $0) } }
    }
}

extension Expand: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        try outputs.map { try $0.map { try gradients.scattered(unit, $0) } }
    }
}

extension Tile: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        try outputs.map { try $0.map { try gradients.scattered(unit, $0) } }
    }
}
