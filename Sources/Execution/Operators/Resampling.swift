import Graph
import Nodes
import Operators
import Primitives
import TensorFunctions
import Tensors

extension Resize: DifferentiableOperator {
    /// One pass for each axis that changes.
    private func passes(_ unit: Unit, _ plan: PlanBuilder) throws -> [(pass: ResamplingPass, shape: Shape)] {
        var extents = try plan.shape(unit.node.inputs[0]).dimensions
        return try resamplings(inputs: plan.operatorInputs(unit)).map { axis, resampling in
            let pass = ResamplingPass(
                resampling, outer: extents[..<axis].reduce(1, *), input: extents[axis],
                inner: extents[(axis + 1)...].reduce(1, *))
            extents[axis] = pass.output
            return (pass, Shape(extents))
        }
    }

    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        var current = try plan.plainOperand(unit.node.inputs[0])
        let passes = try passes(unit, plan)
        guard !passes.isEmpty else { return try plan.alias(unit.outputs[0], to: current) }
        for (pass, shape) in passes {
            let target = plan.allocate(try MemoryDescriptor(plain: shape))
            plan.emit([current, target]) { pass.forward(pointers: $0) }
            current = target
        }
        let outside = try outsidePlaces(unit, plan)
        if !outside.isEmpty {
            plan.emit([current]) { [fill] pointers in
                for place in outside { pointers[0][place] = fill }
            }
        }
        plan.define(unit.outputs[0], at: current)
    }

    /// The output's elements that have the fill value.
    private func outsidePlaces(_ unit: Unit, _ plan: PlanBuilder) throws -> [Int] {
        let outside = try resamplings(inputs: plan.operatorInputs(unit)).map { axis, resampling in
            (axis, resampling.taps.map(\.isEmpty))
        }.filter { $0.1.contains(true) }
        guard !outside.isEmpty else { return [] }
        var (places, place) = ([Int](), 0)
        try plan.shape(unit.outputs[0]).forEachPosition { position in
            if outside.contains(where: { $0.1[position[$0.0]] }) { places.append(place) }
            place += 1
        }
        return places
    }

    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = outputs[0] else { return [] }
        let plan = gradients.plan
        var shapes = [try plan.shape(unit.node.inputs[0])]
        let passes = try passes(unit, plan)
        shapes += passes.map(\.shape)
        var current = try gradients.plain(gradient)
        // What is filled is outside along an axis, whose pass takes nothing from there.
        for (index, (pass, _)) in passes.enumerated().reversed() {
            let target = plan.allocate(try MemoryDescriptor(plain: shapes[index]))
            plan.emit([current, target]) { pass.backward($0[0], to: $0[1]) }
            current = target
        }
        return [current]
    }
}

extension ResamplingPass {
    fileprivate func forward(pointers: [UnsafeMutablePointer<Float>]) { forward(pointers[0], to: pointers[1]) }
}

extension Selection: DifferentiableOperator {
    /// The condition.
    var typedInputs: Set<Int> { [0] }

    /// Where each element of the output comes from in an operand; nil where that is its own place.
    private func places(of shape: Shape, in full: Shape) -> [Int32]? {
        guard shape != full else { return nil }
        let indices = BroadcastIndices(of: shape, in: full)
        return (0..<full.count).map { Int32(indices[$0]) }
    }

    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let shape = try plan.shape(unit.outputs[0])
        let condition = try plan.typedOperand(unit.node.inputs[0])
        let (left, right) = (try plan.plainOperand(unit.node.inputs[1]), try plan.plainOperand(unit.node.inputs[2]))
        let target = plan.allocate(try MemoryDescriptor(plain: shape))
        let places = [condition.type.shape, left.layout.shape, right.layout.shape].map {
            self.places(of: $0, in: shape)
        }
        plan.emit([condition], [left, right, target]) { typed, pointers in
            let holds = typed[0].assumingMemoryBound(to: UInt8.self)
            for index in 0..<shape.count {
                let which = holds[places[0].map { Int($0[index]) } ?? index] != 0 ? 0 : 1
                pointers[2][index] = pointers[which][places[which + 1].map { Int($0[index]) } ?? index]
            }
        }
        plan.define(unit.outputs[0], at: target)
    }

    func buildGradient(_ unit: Unit, of outputs: [Operand?], in gradients: GradientBuilder) throws -> [Operand?] {
        guard let gradient = try outputs[0].map(gradients.plain) else { return [] }
        let plan = gradients.plan
        let shape = gradient.layout.shape
        let condition = try plan.typedOperand(unit.node.inputs[0])
        let places = places(of: condition.type.shape, in: shape)
        let parts = try [1, 2].map { index -> Operand? in
            guard gradients.isNeeded(unit, index) else { return nil }
            let full = plan.allocate(gradient.layout)
            plan.emit([condition], [gradient, full]) { typed, pointers in
                let holds = typed[0].assumingMemoryBound(to: UInt8.self)
                for place in 0..<shape.count {
                    let isTaken = (holds[places.map { Int($0[place]) } ?? place] != 0) == (index == 1)
                    pointers[1][place] = isTaken ? pointers[0][place] : 0
                }
            }
            return try gradients.reduced(full, to: plan.shape(unit.node.inputs[index]))
        }
        return [nil] + parts
    }
}
