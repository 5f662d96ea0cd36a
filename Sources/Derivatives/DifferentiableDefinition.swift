import Definitions
import Nodes
import Operators
import TensorFunctions
import Tensors

/// An operator whose definition over tensors has a derivative, which is defined over tensors too: for plans that have no
/// primitive for the operator. Floats are added in one order, so that results are the same bits everywhere.
package protocol DifferentiableDefinition: Operator {
    /// The gradients of the inputs, as float32 of the inputs' shapes, by input; those that are left out are zero.
    /// - Throws: `GraphError` for values that the operator does not take.
    func inputGradients(_ derivative: Derivative) throws -> [Int: Tensor]
}

/// What a derivative is taken of, and where.
package struct Derivative {
    /// All inputs, with their values.
    package var inputs: [OperatorInput?]
    /// What `outputTypes` gave.
    package var types: [ValueType]
    /// Of each output, as float32 of its shape; nil where it is zero.
    package var gradients: [Tensor?]
    /// The inputs whose gradients are asked for.
    package var needed: Set<Int>

    package init(inputs: [OperatorInput?], types: [ValueType], gradients: [Tensor?], needed: Set<Int>) {
        (self.inputs, self.types, self.gradients, self.needed) = (inputs, types, gradients, needed)
    }

    /// An input's value.
    package func value(_ index: Int) -> Tensor? { index < inputs.count ? inputs[index]?.constant : nil }

    /// An input's elements in double precision; empty where it is absent.
    package func elements(_ index: Int) -> [Double] {
        value(index)?.converted(to: .float64).elements(as: Double.self) ?? []
    }

    /// The elements of an output's gradient in double precision.
    package func gradient(_ index: Int = 0) -> [Double] {
        guard let gradient = gradients[index] else { return [Double](repeating: 0, count: types[index].shape.count) }
        return gradient.converted(to: .float64).elements(as: Double.self)
    }

    /// A gradient of the shape of an input.
    package func result(_ elements: [Double], of index: Int) -> Tensor {
        Tensor(shape: inputs[index]?.type.shape ?? [elements.count], elements.map { Float($0) })
    }
}
