import Graph
import Nodes
import Operators
import Primitives
import Tensors

extension Softmax: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let shape = try plan.shape(unit.node.inputs[0])
        let start = axis < 0 ? axis + shape.rank : axis
        // Before opset 13 the axes from `axis` on are one.
        let outer = shape.dimensions[..<start].reduce(1, *)
        let rows = flattens ? Shape([outer, shape.count / max(outer, 1)]) : shape
        let layout = try MemoryDescriptor(plain: rows)
        let source = Operand(buffer: try plan.plainOperand(unit.node.inputs[0]).buffer, layout: layout)
        let primitive = try Primitive.softmax(
            layout, axis: flattens ? 1 : start, logarithmic: logarithmic, propagation: plan.propagation,
            engine: plan.engine)
        let target = plan.allocate(layout)
        plan.emit(primitive, [(.source, source), (.target, target)], for: unit)
        plan.define(
            unit.outputs[0], at: Operand(buffer: target.buffer, layout: try MemoryDescriptor(plain: shape)))
    }
}

extension Softmax: DifferentiableOperator {
    func gradientReadsOutput(_ unit: Unit, in graph: SpecializedGraph) -> Bool { true }

    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        let plan = gradients.plan
        let record = try gradients.tape.record(of: unit)
        let layout = try record[.target].layout
        let primitive = try Primitive.softmaxGradient(layout, forward: record.primitive, engine: plan.engine)
        let target = plan.allocate(layout)
        plan.emit(
            primitive,
            [
                (.target, Operand(buffer: try gradients.producedOutput(unit).buffer, layout: layout)),
                (.targetGradient, try gradients.reshaped(gradient, layout.shape)),
                (.sourceGradient, target),
            ])
        return [try gradients.reshaped(target, plan.shape(unit.node.inputs[0]))]
    }
}
