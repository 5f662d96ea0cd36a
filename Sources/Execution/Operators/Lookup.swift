import Graph
import Nodes
import Operators
import Primitives
import TensorFunctions
import Tensors

// A Gather whose indices only a run gives: rows of an embedding, for example.

extension Gather {
    /// The indices counted from the front, checked in every run.
    private func picks(_ unit: Unit, _ plan: PlanBuilder) throws -> TypedOperand {
        let indices = try plan.typedOperand(unit.node.inputs[1])
        let target = plan.allocate(ValueType(.int32, [indices.type.shape.count]))
        let known = plan.operatorInputs(unit)
        plan.emit([indices], [target]) { tensors in
            var inputs = known
            inputs[1]?.constant = tensors[0]
            return [Tensor(shape: target.type.shape, try self.indices(inputs: inputs).map { Int32($0) })]
        }
        return target
    }

    func buildLookup(_ unit: Unit, in plan: PlanBuilder) throws {
        let (data, picks) = (try plan.plainOperand(unit.node.inputs[0]), try picks(unit, plan))
        let rows = AxisRows(data.layout.shape, axis: resolvedAxis(rank: data.layout.shape.rank))
        let target = plan.allocate(try MemoryDescriptor(plain: plan.shape(unit.outputs[0])))
        let count = picks.type.shape.count
        plan.emit([picks], [data, target]) { typed, pointers in
            let picks = typed[0].assumingMemoryBound(to: Int32.self)
            for place in 0..<rows.outer * count {
                let source = place / count * rows.extent + Int(picks[place % count])
                (pointers[1] + place * rows.inner).update(from: pointers[0] + source * rows.inner, count: rows.inner)
            }
        }
        plan.define(unit.outputs[0], at: target)
    }

    /// Each picked row's gradient is the sum of those of its copies, in their order.
    func lookupGradient(_ unit: Unit, _ gradient: Operand, _ gradients: GradientBuilder) throws -> Operand {
        let plan = gradients.plan
        let (source, picks) = (try gradients.plain(gradient), try picks(unit, plan))
        let shape = try plan.shape(unit.node.inputs[0])
        let rows = AxisRows(shape, axis: resolvedAxis(rank: shape.rank))
        let target = gradients.zeros(try MemoryDescriptor(plain: shape))
        let count = picks.type.shape.count
        plan.emit([picks], [source, target]) { typed, pointers in
            let picks = typed[0].assumingMemoryBound(to: Int32.self)
            for place in 0..<rows.outer * count {
                let row = pointers[1] + (place / count * rows.extent + Int(picks[place % count])) * rows.inner
                for index in 0..<rows.inner { row[index] += pointers[0][place * rows.inner + index] }
            }
        }
        return target
    }
}
