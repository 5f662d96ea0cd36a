import Graph
import Nodes
import Operators
import Primitives
import Tensors

extension Convolution: PostOperable, ExecutableOperator {
    var fusesAddition: Bool { true }

    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let (input, weight) = (unit.node.inputs[0], unit.node.inputs[1])
        let bias = unit.node.inputs.count > 2 && !unit.node.inputs[2].isEmpty ? unit.node.inputs[2] : nil
        let inputShape = try plan.shape(input)
        let outputShape = try plan.shape(unit.outputs[0])
        let weightShape = try plan.shape(weight)

        let kernel = Array(weightShape.dimensions.dropFirst(2))
        let grouped = groupedShape(weightShape)
        let padding = window.resolvedPadding(input: Array(inputShape.dimensions.dropFirst(2)), kernel: kernel)
        let primitive = try Primitive.convolution(
            .init(source: inputShape, weights: grouped, target: outputShape, hasBias: bias != nil),
            window: WindowGeometry(
                kernel: kernel, strides: kernel.indices.map(window.stride),
                dilations: kernel.indices.map(window.dilation), begin: padding.begin, end: padding.end),
            propagation: plan.propagation, post: unit.post, engine: plan.engine)

        var arguments: [(argument: Argument, operand: Operand)] = [
            (.source, try plan.operand(input, as: primitive.layout(.source))),
            (.weights, try plan.parameter(weight, reshaped: grouped, as: primitive.layout(.weights))),
        ]
        if let bias { arguments.append((.bias, try plan.plainOperand(bias))) }
        let output = try plan.destination(primitive.layout(.target), of: unit)
        plan.emit(primitive, arguments + [(.target, output)], for: unit)
        plan.define(unit.outputs[0], at: output)
    }

    /// The weight's shape as oneDNN wants it, groups apart: [groups, outputs / group, inputs / group, kernel...].
    func groupedShape(_ weight: Shape) -> Shape {
        groups == 1
            ? weight : Shape([groups, weight[0] / groups, weight[1]] + weight.dimensions.dropFirst(2))
    }
}

extension Convolution: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        let forward = try gradients.tape.record(of: unit).primitive
        var result = [Operand?](repeating: nil, count: unit.node.inputs.count)
        if gradients.isNeeded(unit, 1) || gradients.isNeeded(unit, 2) {
            let (weight, bias) = try weightGradient(unit, gradient, forward, gradients)
            result[1] = weight
            if let bias { result[2] = bias }
        }
        if gradients.isNeeded(unit, 0) {
            result[0] = try inputGradient(unit, gradient, forward, gradients)
        }
        return result
    }

    private func inputGradient(
        _ unit: Unit, _ gradient: Operand, _ forward: Primitive, _ gradients: GradientBuilder
    ) throws -> Operand {
        let plan = gradients.plan
        let weight = unit.node.inputs[1]
        let grouped = try groupedShape(plan.shape(weight))
        let primitive = try Primitive.convolutionSourceGradient(
            .init(
                source: plan.shape(unit.node.inputs[0]), weights: grouped, target: plan.shape(unit.outputs[0]),
                hasBias: false), forward: forward, engine: plan.engine)
        let layout = try primitive.layout(.weights)
        let used = try gradients.tape.record(of: unit)[.weights]
        let result = plan.allocate(try primitive.layout(.sourceGradient))
        plan.emit(
            primitive,
            [
                (.targetGradient, try gradients.converted(gradient, to: primitive.layout(.targetGradient))),
                (
                    .weights,
                    try used.layout == layout ? used : plan.parameter(weight, reshaped: grouped, as: layout)
                ),
                (.sourceGradient, result),
            ])
        return result
    }

    private func weightGradient(
        _ unit: Unit, _ gradient: Operand, _ forward: Primitive, _ gradients: GradientBuilder
    ) throws -> (weight: Operand?, bias: Operand?) {
        let plan = gradients.plan
        let (input, weight) = (unit.node.inputs[0], unit.node.inputs[1])
        let outputShape = try plan.shape(unit.outputs[0])
        let hasBias = gradients.isNeeded(unit, 2)
        let primitive = try Primitive.convolutionWeightsGradient(
            .init(
                source: plan.shape(input), weights: groupedShape(plan.shape(weight)), target: outputShape,
                hasBias: hasBias), forward: forward, engine: plan.engine)
        let weightResult = plan.allocate(try primitive.layout(.weightsGradient))
        let biasResult = hasBias ? plan.allocate(try MemoryDescriptor(plain: [outputShape[1]])) : nil
        var arguments: [(argument: Argument, operand: Operand)] = [
            (.source, try plan.operand(input, as: primitive.layout(.source))),
            (.targetGradient, try gradients.converted(gradient, to: primitive.layout(.targetGradient))),
            (.weightsGradient, weightResult),
        ]
        if let biasResult { arguments.append((.biasGradient, biasResult)) }
        plan.emit(primitive, arguments)
        guard gradients.isNeeded(weight) else { return (nil, biasResult) }
        return (try gradients.reshaped(weightResult, plan.shape(weight)), biasResult)
    }
}
