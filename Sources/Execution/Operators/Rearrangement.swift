import Graph
import Nodes
import Operators
import Primitives
import Tensors

extension Reshaping: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let (input, output) = (unit.node.inputs[0], unit.outputs[0])
        let shape = try plan.shape(output)
        if try plan.shape(input) == shape { return try plan.alias(output, to: plan.operand(input)) }
        let source = try plan.plainOperand(input)
        try plan.alias(output, to: Operand(buffer: source.buffer, layout: MemoryDescriptor(plain: shape)))
    }
}

extension Reshaping: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        let shape = try gradients.plan.shape(unit.node.inputs[0])
        if try gradients.plan.shape(unit.outputs[0]) == shape { return [gradient] }
        return [try gradients.reshaped(gradient, shape)]
    }
}

extension Transpose: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let source = try plan.operand(unit.node.inputs[0])
        guard try plan.shape(unit.outputs[0]).rank > 1 else { return try plan.alias(unit.outputs[0], to: source) }
        let permuted = try source.layout.permuted(resolved(rank: source.layout.shape.rank))
        let target = plan.allocate(try MemoryDescriptor(plain: plan.shape(unit.outputs[0])))
        try plan.reorder(Operand(buffer: source.buffer, layout: permuted), to: target)
        plan.define(unit.outputs[0], at: target)
    }
}

extension Transpose: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        let plan = gradients.plan
        let shape = try plan.shape(unit.node.inputs[0])
        var inverse = [Int](repeating: 0, count: shape.rank)
        for (target, source) in resolved(rank: shape.rank).enumerated() { inverse[source] = target }
        let permuted = Operand(buffer: gradient.buffer, layout: try gradient.layout.permuted(inverse))
        let target = plan.allocate(try MemoryDescriptor(plain: shape))
        try plan.reorder(permuted, to: target)
        return [target]
    }
}

extension Concat: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let axis = resolvedAxis(rank: try plan.shape(unit.outputs[0]).rank)
        // In the layouts at hand where oneDNN can do that, else row-major: channel blocks need not line up.
        var sources = try unit.node.inputs.map { try plan.operand($0) }
        var primitive = try Self.primitive(sources, axis, plan.engine)
        if primitive == nil {
            sources = try unit.node.inputs.map { try plan.plainOperand($0) }
            primitive = try Self.primitive(sources, axis, plan.engine)
        }
        guard let primitive else { throw ExecutionError(.library, operation: "concatenation") }
        let target = plan.allocate(try primitive.layout(.target))
        var arguments: [(argument: Argument, operand: Operand)] = [(.target, target)]
        for (index, source) in sources.enumerated() {
            arguments.append((.part(index), source))
        }
        plan.emit(primitive, arguments)
        plan.define(unit.outputs[0], at: target)
    }

    /// Nil where oneDNN has none, or would place the samples of a channel block side by side: its functions of one element
    /// (2.6) go wrong in such layouts.
    private static func primitive(_ sources: [Operand], _ axis: Int, _ engine: Engine) throws -> Primitive? {
        do {
            let primitive = try Primitive.concatenation(of: sources.map(\.layout), axis: axis, engine: engine)
            return try primitive.layout(.target).blocksAreInSamples ? primitive : nil
        } catch let error as ExecutionError where error.code == .library {
            return nil
        }
    }
}

extension Concat: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        let plan = gradients.plan
        let rank = gradient.layout.shape.rank
        var offsets = [Int](repeating: 0, count: rank)
        return try unit.node.inputs.map { input in
            let shape = try plan.shape(input)
            defer { offsets[resolvedAxis(rank: rank)] += shape[resolvedAxis(rank: rank)] }
            guard gradients.isNeeded(input) else { return nil }
            // Channel blocks need not line up with the box.
            var source = gradient
            var box = try? source.layout.box(shape, offsets: offsets)
            if box == nil {
                source = try gradients.plain(gradient)
                box = try source.layout.box(shape, offsets: offsets)
            }
            guard let box else { return nil }
            let target = plan.allocate(try plan.operand(input).layout)
            try plan.reorder(Operand(buffer: source.buffer, layout: box), to: target)
            return target
        }
    }
}

extension Split: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let source = try plan.plainOperand(unit.node.inputs[0])
        let shape = source.layout.shape
        let axis = resolvedAxis(rank: shape.rank)
        var offsets = [Int](repeating: 0, count: shape.rank)
        // Outputs that nobody uses have no name and no type, but take their place along the axis.
        for (output, extent) in zip(unit.outputs, try extents(inputs: plan.operatorInputs(unit))) {
            defer { offsets[axis] += extent }
            guard !output.isEmpty else { continue }
            let part = try plan.shape(output)
            let box = Operand(buffer: source.buffer, layout: try source.layout.box(part, offsets: offsets))
            let target = plan.allocate(try MemoryDescriptor(plain: part))
            try plan.reorder(box, to: target)
            plan.define(output, at: target)
        }
    }
}

extension Split: DifferentiableOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        let plan = gradients.plan
        let shape = try plan.shape(unit.node.inputs[0])
        let axis = resolvedAxis(rank: shape.rank)
        let layout = try MemoryDescriptor(plain: shape)
        let extents = try extents(inputs: plan.operatorInputs(unit))
        let target = outputs.contains { $0 == nil } ? gradients.zeros(layout) : plan.allocate(layout)
        var offsets = [Int](repeating: 0, count: shape.rank)
        for (extent, gradient) in zip(extents, outputs) {
            if let gradient {
                let box = try layout.box(gradient.layout.shape, offsets: offsets)
                try plan.reorder(gradient, to: Operand(buffer: target.buffer, layout: box))
            }
            offsets[axis] += extent
        }
        return [target]
    }
}
