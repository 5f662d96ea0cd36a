import Graph
import Tensors

extension Expand: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let strides = try plan.shape(unit.outputs[0]).strides
        let indices = BroadcastIndices(of: try plan.shape(unit.node.inputs[0]), in: try plan.shape(unit.outputs[0]))
        try plan.buildIndexedCopy(unit) { position in
            indices[position.indices.reduce(0) { $0 + position[$1] * strides[$1] }]
        }
    }
}
