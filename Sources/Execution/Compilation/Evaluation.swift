import Graph
import Operators
import Tensors

extension Unit {
    /// Whether the unit is computed by its operator's definition: it is from, or to, values of other types than float32, or of
    /// a form that is not compiled. Constants that only say extents or places do not count.
    func isEvaluated(in graph: SpecializedGraph) -> Bool {
        guard let executable = `operator` as? any ExecutableOperator, executable.isExecutable(self, in: graph) else {
            return true
        }
        return (node.inputs.filter { graph.constants[$0] == nil } + node.outputs).contains { name in
            graph.types[name].map { $0.elementType != .float32 } ?? false
        }
    }
}

extension PlanBuilder {
    /// Computes a unit by its operator's definition over tensors, which is the same that folds constants.
    func buildEvaluation(_ unit: Unit, _ evaluated: any EvaluatedOperator) throws {
        let inputs = try unit.node.inputs.map { $0.isEmpty ? nil : try typedOperand($0) }
        let known = operatorInputs(unit)
        let types = unit.outputs.map { graph.types[$0] ?? ValueType(.float32, []) }
        var plain: [(value: String, operand: Operand)] = []
        let outputs = try zip(unit.outputs, types).map { name, type in
            guard type.elementType == .float32 else { return try defineTyped(name) }
            let operand = allocate(try MemoryDescriptor(plain: type.shape))
            plain.append((name, operand))
            return TypedOperand(buffer: operand.buffer, type: type)
        }
        let node = unit.node
        emit(inputs, outputs) { tensors in
            var operands = known
            for (index, tensor) in tensors.enumerated() { operands[index]?.constant = tensor }
            guard let values = try evaluated.values(inputs: operands, types: types) else {
                throw ExecutionError(
                    .unsupportedForm, node: node.name, opType: node.opType, expected: "other element types",
                    found: types.map(\.elementType.rawValue).joined(separator: ", "))
            }
            return values
        }
        for (value, operand) in plain where !value.isEmpty { define(value, at: operand) }
    }
}
