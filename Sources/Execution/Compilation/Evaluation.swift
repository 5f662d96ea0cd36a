import Definitions
import Graph
import Nodes
import Operators
import Primitives
import Tensors

extension Unit {
    /// Whether the unit is computed by its operator's definition: it is from, or to, values of other types than float32, or of
    /// a form that is not compiled. Constants that only say extents or places do not count.
    func isEvaluated(in graph: SpecializedGraph) -> Bool {
        guard let executable = `operator` as? any ExecutableOperator, executable.isExecutable(self, in: graph) else {
            return true
        }
        let inputs = node.inputs.enumerated().filter { index, name in
            graph.constants[name] == nil && !executable.typedInputs.contains(index)
        }
        return (inputs.map(\.element) + node.outputs).contains { name in
            graph.types[name].map { $0.elementType != .float32 } ?? false
        }
    }
}

extension PlanBuilder {
    /// Computes a unit by its operator's definition over tensors, which is the same that folds constants.
    func buildEvaluation(_ unit: Unit, _ evaluated: any EvaluatedOperator) throws {
        let inputs = try unit.node.inputs.map { $0.isEmpty ? nil : try typedOperand($0) }
        let known = operatorInputs(unit)
        // Those without a name are not asked for.
        let named = unit.outputs.indices.filter { !unit.outputs[$0].isEmpty }
        var plain: [(value: String, operand: Operand)] = []
        let outputs = try named.map { index in
            let name = unit.outputs[index]
            guard let type = graph.types[name], type.elementType == .float32 else { return try defineTyped(name) }
            let operand = allocate(try MemoryDescriptor(plain: type.shape))
            plain.append((name, operand))
            return TypedOperand(buffer: operand.buffer, type: type)
        }
        let (node, types) = (unit.node, try evaluated.outputTypes(inputs: known))
        emit(inputs, outputs) { tensors in
            var operands = known
            for (index, tensor) in tensors.enumerated() { operands[index]?.constant = tensor }
            guard let values = try evaluated.values(inputs: operands, types: types) else {
                throw ExecutionError(
                    .unsupportedForm, node: node.name, opType: node.opType, expected: "other element types",
                    found: types.map(\.elementType.rawValue).joined(separator: ", "))
            }
            return named.map { values[$0] }
        }
        for (value, operand) in plain { define(value, at: operand) }
    }
}
