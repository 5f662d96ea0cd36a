import Graph
import Tensors

extension Pad: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let inputs = plan.operatorInputs(unit)
        let begin = try amounts(inputs: inputs).begin
        let shape = try plan.shape(unit.node.inputs[0])
        let strides = shape.strides
        try plan.buildIndexedCopy(unit, fill: value(inputs: inputs)) { position in
            var index = 0
            for axis in position.indices {
                let (offset, extent) = (position[axis] - begin[axis], shape[axis])
                let inside: Int
                switch mode {
                case _ where 0..<extent ~= offset: inside = offset
                case .constant: return nil
                case .edge: inside = min(max(offset, 0), extent - 1)
                case .reflect: inside = offset < 0 ? -offset : 2 * (extent - 1) - offset
                case .wrap: inside = (offset % extent + extent) % extent
                }
                index += inside * strides[axis]
            }
            return index
        }
    }
}
