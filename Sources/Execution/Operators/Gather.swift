import Graph
import Tensors

extension Gather: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
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
