import Graph
import Tensors

extension Slice: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let ranges = try ranges(inputs: plan.operatorInputs(unit))
        let strides = try plan.shape(unit.node.inputs[0]).strides
        try plan.buildIndexedCopy(unit) { position in
            position.indices.reduce(0) { $0 + (ranges[$1].start + position[$1] * ranges[$1].step) * strides[$1] }
        }
    }
}
