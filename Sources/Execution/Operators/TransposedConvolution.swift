import Graph
import Nodes
import Operators
import Primitives
import Tensors

/// Computed by the convolution whose transpose it is, from its output to its input: forward as that one's gradient, the gradient
/// as that one's forward pass.
extension TransposedConvolution: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let weight = unit.node.inputs[1]
        let (shapes, forward) = try mirrored(unit, plan)
        let primitive = try Primitive.convolutionSourceGradient(shapes, forward: forward, engine: plan.engine)
        let product = plan.allocate(try primitive.layout(.sourceGradient))
        plan.emit(
            primitive,
            [
                (.targetGradient, try plan.operand(unit.node.inputs[0], as: primitive.layout(.targetGradient))),
                (.weights, try plan.parameter(weight, reshaped: shapes.weights, as: primitive.layout(.weights))),
                (.sourceGradient, product),
            ])
        guard unit.node.inputs.count > 2, !unit.node.inputs[2].isEmpty else {
            return plan.define(unit.outputs[0], at: product)
        }
        let output = plan.allocate(try MemoryDescriptor(plain: shapes.source))
        try plan.reorder(product, to: output)
        let bias = try plan.plainOperand(unit.node.inputs[2])
        let (features, pixels) = (shapes.source[1], shapes.source.dimensions[2...].reduce(1, *))
        plan.emit([output, bias]) { pointers in
            for row in 0..<shapes.source[0] * features {
                let shift = pointers[1][row % features]
                for index in row * pixels..<(row + 1) * pixels { pointers[0][index] += shift }
            }
        }
        plan.define(unit.outputs[0], at: output)
    }

    /// The convolution from the output to the input.
    private func mirrored(
        _ unit: Unit, _ plan: PlanBuilder
    ) throws -> (shapes: Primitive.ConvolutionShapes, forward: Primitive) {
        let (input, output) = (try plan.shape(unit.node.inputs[0]), try plan.shape(unit.outputs[0]))
        let weight = try plan.shape(unit.node.inputs[1])
        let kernel = Array(weight.dimensions.dropFirst(2))
        let padding = geometry(input: Array(input.dimensions.dropFirst(2)), kernel: kernel)
        let grouped =
            groups == 1 ? weight : Shape([groups, weight[0] / groups, weight[1]] + weight.dimensions.dropFirst(2))
        let shapes = Primitive.ConvolutionShapes(source: output, weights: grouped, target: input, hasBias: false)
        let forward = try Primitive.convolution(
            shapes,
            window: WindowGeometry(
                kernel: kernel, strides: kernel.indices.map(window.stride),
                dilations: kernel.indices.map(window.dilation), begin: padding.begin, end: padding.end),
            propagation: .training, post: [], engine: plan.engine)
        return (shapes, forward)
    }
}

extension TransposedConvolution: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        let plan = gradients.plan
        let (shapes, forward) = try mirrored(unit, plan)
        let weight = unit.node.inputs[1]
        var result = [Operand?](repeating: nil, count: unit.node.inputs.count)
        if gradients.isNeeded(unit, 0) {
            let target = plan.allocate(try forward.layout(.target))
            plan.emit(
                forward,
                [
                    (.source, try gradients.converted(gradient, to: forward.layout(.source))),
                    (.weights, try plan.parameter(weight, reshaped: shapes.weights, as: forward.layout(.weights))),
                    (.target, target),
                ])
            result[0] = target
        }
        if gradients.isNeeded(unit, 1) {
            let primitive = try Primitive.convolutionWeightsGradient(shapes, forward: forward, engine: plan.engine)
            let target = plan.allocate(try primitive.layout(.weightsGradient))
            plan.emit(
                primitive,
                [
                    (.source, try gradients.converted(gradient, to: primitive.layout(.source))),
                    (
                        .targetGradient,
                        try plan.operand(unit.node.inputs[0], as: primitive.layout(.targetGradient))
                    ),
                    (.weightsGradient, target),
                ])
            result[1] = try gradients.reshaped(target, plan.shape(weight))
        }
        if gradients.isNeeded(unit, 2) {
            var small = shapes.source.dimensions.map { _ in 1 }
            small[1] = shapes.source[1]
            let sum = try gradients.reduced(gradient, to: Shape(small))
            result[2] = try gradients.reshaped(sum, plan.shape(unit.node.inputs[2]))
        }
        return result
    }
}
