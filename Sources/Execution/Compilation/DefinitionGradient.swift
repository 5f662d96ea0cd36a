import Derivatives
import Graph
import Nodes
import Operators
import Primitives
import Tensors

extension GradientBuilder {
    /// The gradients of a unit that is computed by its operator's definition, by the definition of its derivative.
    func buildDefinition(
        _ unit: Unit, _ definition: any DifferentiableDefinition, of outputs: [Operand?]
    ) throws -> [Operand?] {
        let inputs = try unit.node.inputs.map { $0.isEmpty ? nil : try plan.typedOperand($0) }
        let gradients = try outputs.map { output -> TypedOperand? in
            guard let plain = try output.map(plain) else { return nil }
            return TypedOperand(buffer: plain.buffer, type: ValueType(.float32, plain.layout.shape))
        }
        let needed = unit.node.inputs.indices.filter { index in
            isNeeded(unit, index) && inputs[index]?.type.elementType.isFloatingPoint == true
        }
        let targets = try needed.map { index in
            plan.allocate(try MemoryDescriptor(plain: inputs[index]?.type.shape ?? []))
        }
        let known = plan.operatorInputs(unit)
        let types = try definition.outputTypes(inputs: known)
        plan.emit(
            inputs + gradients,
            targets.map { TypedOperand(buffer: $0.buffer, type: ValueType(.float32, $0.layout.shape)) }
        ) { tensors in
            var operands = known
            for index in inputs.indices { operands[index]?.constant = tensors[index] }
            let found = try definition.inputGradients(
                Derivative(
                    inputs: operands, types: types, gradients: Array(tensors[inputs.count...]), needed: Set(needed)))
            return zip(needed, targets).map { index, target in
                found[index]
                    ?? Tensor(shape: target.layout.shape, [Float](repeating: 0, count: target.layout.shape.count))
            }
        }
        var result = [Operand?](repeating: nil, count: unit.node.inputs.count)
        for (index, target) in zip(needed, targets) { result[index] = target }
        return result
    }
}
