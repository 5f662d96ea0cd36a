import Graph
import Tensors

extension Tile: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let shape = try plan.shape(unit.node.inputs[0])
        let strides = shape.strides
        try plan.buildIndexedCopy(unit) { position in
            position.indices.reduce(0) { $0 + position[$1] % shape[$1] * strides[$1] }
        }
    }
}
