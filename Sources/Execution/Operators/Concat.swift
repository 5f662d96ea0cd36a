import COneDNN
import Graph
import Tensors

extension Concat: ExecutableOperator {
    func build(_ unit: Unit, in plan: PlanBuilder) throws {
        let axis = resolvedAxis(rank: try plan.shape(unit.outputs[0]).rank)
        let inputs = unit.node.inputs
        // In the layouts at hand where oneDNN can do that, else row-major: channel blocks need not line up.
        do {
            try build(unit, plan, axis, try inputs.map { try plan.operand($0) })
        } catch let error as ExecutionError where error.code == .library {
            try build(unit, plan, axis, try inputs.map { try plan.plainOperand($0) })
        }
    }

    private func build(_ unit: Unit, _ plan: PlanBuilder, _ axis: Int, _ sources: [Operand]) throws {
        let primitive = try Primitive(concatenating: sources.map(\.layout), axis: axis, engine: plan.engine)
        let target = plan.allocate(try primitive.layout(dnnl_query_dst_md))
        var arguments: [(argument: Int32, operand: Operand)] = [(DNNL_ARG_DST, target)]
        for (index, source) in sources.enumerated() {
            arguments.append((DNNL_ARG_MULTIPLE_SRC + Int32(index), source))
        }
        plan.emit(primitive, arguments)
        plan.define(unit.outputs[0], at: target)
    }
}
