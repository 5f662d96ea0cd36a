import COneDNN
import Graph
import Tensors

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
        let target = plan.allocate(try primitive.layout(dnnl_query_dst_md))
        var arguments: [(argument: Int32, operand: Operand)] = [(DNNL_ARG_DST, target)]
        for (index, source) in sources.enumerated() {
            arguments.append((DNNL_ARG_MULTIPLE_SRC + Int32(index), source))
        }
        plan.emit(primitive, arguments)
        plan.define(unit.outputs[0], at: target)
    }

    /// Nil where oneDNN has none, or would place the samples of a channel block side by side: its functions of one element
    /// (2.6) go wrong in such layouts.
    private static func primitive(_ sources: [Operand], _ axis: Int, _ engine: Engine) throws -> Primitive? {
        do {
            let primitive = try Primitive(concatenating: sources.map(\.layout), axis: axis, engine: engine)
            return try primitive.layout(dnnl_query_dst_md).blocksAreInSamples ? primitive : nil
        } catch let error as ExecutionError where error.code == .library {
            return nil
        }
    }
}
