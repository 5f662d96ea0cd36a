import Definitions
import Graph
import Nodes
import Operators
import Primitives
import Tensors

extension Expand: PickingOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let strides = try plan.shape(unit.outputs[0]).strides
        let indices = BroadcastIndices(of: try plan.shape(unit.node.inputs[0]), in: try plan.shape(unit.outputs[0]))
        try plan.buildIndexedCopy(unit) { position in
            indices[position.indices.reduce(0) { $0 + position[$1] * strides[$1] }]
        }
    }
}

extension Tile: PickingOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let shape = try plan.shape(unit.node.inputs[0])
        let strides = shape.strides
        try plan.buildIndexedCopy(unit) { position in
            position.indices.reduce(0) { $0 + position[$1] % shape[$1] * strides[$1] }
        }
    }
}

extension Slice: PickingOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let ranges = try ranges(inputs: plan.operatorInputs(unit))
        let strides = try plan.shape(unit.node.inputs[0]).strides
        try plan.buildIndexedCopy(unit) { position in
            position.indices.reduce(0) { $0 + (ranges[$1].start + position[$1] * ranges[$1].step) * strides[$1] }
        }
    }
}

extension Gather: PickingOperator {
    /// The indices.
    var typedInputs: Set<Int> { [1] }

    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        guard plan.constant(unit.node.inputs[1]) != nil else { return try buildLookup(unit, in: plan) }
        let inputs = plan.operatorInputs(unit)
        let picks = try indices(inputs: inputs)
        let shape = try plan.shape(unit.node.inputs[0])
        let axis = resolvedAxis(rank: shape.rank)
        guard let picked = inputs[1]?.type.shape else { return }
        let strides = shape.strides
        let pickStrides = picked.strides
        try plan.buildIndexedCopy(unit) { position in
            let pick = picked.dimensions.indices.reduce(0) { $0 + position[axis + $1] * pickStrides[$1] }
            let outer = (0..<axis).reduce(0) { $0 + position[$1] * strides[$1] }
            let inner = ((axis + 1)..<shape.rank).reduce(0) { $0 + position[$1 + picked.rank - 1] * strides[$1] }
            return outer + picks[pick] * strides[axis] + inner
        }
    }
}

extension Gather {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0], gradients.isNeeded(unit, 0) else { return [] }
        let isKnown = gradients.plan.constant(unit.node.inputs[1]) != nil
        return [try isKnown ? gradients.scattered(unit, gradient) : lookupGradient(unit, gradient, gradients)]
    }
}

extension Pad: PickingOperator {
    /// Where the value that fills up is known.
    func isExecutable(_ unit: Unit, in graph: SpecializedGraph) -> Bool {
        unit.node.inputs.count < 3 || unit.node.inputs[2].isEmpty || graph.constants[unit.node.inputs[2]] != nil
    }

    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let inputs = plan.operatorInputs(unit)
        let shape = try plan.shape(unit.outputs[0])
        let sources = try sources(inputs: inputs, types: [ValueType(.float32, shape)])
        try plan.buildIndexedCopy(unit, sources.map { Int32($0) }, fill: value(inputs: inputs))
    }
}

/// An operator that only picks elements: each output element is one element of its first input, or a fill value.
protocol PickingOperator: DifferentiableOperator {}

extension PickingOperator {
    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        try outputs.map { try $0.map { try gradients.scattered(unit, $0) } }
    }
}

/// Those whose rule says which element each is.
protocol RulePickingOperator: PickingOperator, PickingRule {}

extension RulePickingOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let shape = try plan.shape(unit.outputs[0])
        let sources = try sources(inputs: plan.operatorInputs(unit), types: [ValueType(.float32, shape)])
        try plan.buildIndexedCopy(unit, sources.map { Int32($0) })
    }
}

extension BlockRearrangement: RulePickingOperator {}
extension CenterCropPad: RulePickingOperator {}
extension Compression: RulePickingOperator {}
extension IndexedGather: RulePickingOperator {}
extension MaxUnpooling: RulePickingOperator {}
extension ReverseSequence: RulePickingOperator {}
extension Triangle: RulePickingOperator {}

extension PlanBuilder {
    /// Compiles a picking operator, by a table that is made now.
    /// - Parameter source: for the output element at `position` (one index per axis), the row-major index of the input
    ///   element, or nil for the fill value.
    func buildIndexedCopy(_ unit: Unit, fill: Float = 0, source: ([Int]) -> Int?) throws {
        let shape = try shape(unit.outputs[0])
        var table: [Int32] = []
        table.reserveCapacity(shape.count)
        var position = [Int](repeating: 0, count: shape.rank)
        for _ in 0..<shape.count {
            table.append(source(position).map(Int32.init) ?? -1)
            for axis in shape.dimensions.indices.reversed() {
                position[axis] += 1
                if position[axis] < shape[axis] { break }
                position[axis] = 0
            }
        }
        try buildIndexedCopy(unit, table, fill: fill)
    }

    /// - Parameter table: for each output element, the row-major index of the input element, or -1 for the fill value.
    fileprivate func buildIndexedCopy(_ unit: Unit, _ table: [Int32], fill: Float = 0) throws {
        let shape = try shape(unit.outputs[0])
        tape?.sources[unit.outputs[0]] = table
        let input = try plainOperand(unit.node.inputs[0])
        let output = allocate(try MemoryDescriptor(plain: shape))
        emit([input, output]) { [table] pointers in
            for (index, source) in table.enumerated() {
                pointers[1][index] = source < 0 ? fill : pointers[0][Int(source)]
            }
        }
        define(unit.outputs[0], at: output)
    }
}

extension GradientBuilder {
    /// The gradient of a picking operator: each output element's gradient is added to that of the element
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
