import Definitions
import Nodes
import Operators
import TensorFunctions
import Tensors

/// An operator whose outputs' elements are elements of its inputs, or zero, or a fill value. Where each comes from is found by
/// having the definition move numbers instead: the gradient of an input's element is the sum of those of its copies.
package protocol MovingDefinition: DifferentiableDefinition, EvaluatedOperator {
    /// The inputs whose elements are moved.
    func movedInputs(count: Int) -> [Int]

    /// An input that gives the fill value.
    var fillInput: Int? { get }
}

extension MovingDefinition {
    package func movedInputs(count: Int) -> [Int] { [0] }

    package var fillInput: Int? { nil }

    package func inputGradients(_ derivative: Derivative) throws -> [Int: Tensor] {
        let moved = movedInputs(count: derivative.inputs.count)
        var (inputs, starts, next) = (derivative.inputs, [Int: Int](), 1)
        for index in moved {
            guard let shape = inputs[index]?.type.shape else { continue }
            let numbers = (next..<next + shape.count).map { Int64($0) }
            inputs[index]?.type = ValueType(.int64, shape)
            inputs[index]?.constant = Tensor(shape: shape, numbers)
            starts[index] = next
            next += shape.count
        }
        if let fillInput, fillInput < inputs.count, let fill = inputs[fillInput] {
            inputs[fillInput]?.type = ValueType(.int64, fill.type.shape)
            inputs[fillInput]?.constant = Tensor(
                shape: fill.type.shape, [Int64](repeating: 0, count: fill.type.shape.count))
        }
        let types = derivative.types.map { ValueType(.int64, $0.shape) }
        guard let places = try evaluate(inputs: inputs, types: types) else { return [:] }
        // The first is of what is not moved.
        var sums = [Double](repeating: 0, count: next)
        for (place, gradient) in zip(places, derivative.gradients) {
            guard let gradient else { continue }
            for (source, value) in zip(place.elements(as: Int64.self), gradient.elements(as: Float.self)) {
                sums[Int(source)] += Double(value)
            }
        }
        var result: [Int: Tensor] = [:]
        for (index, start) in starts where derivative.needed.contains(index) {
            let count = derivative.inputs[index]?.type.shape.count ?? 0
            result[index] = derivative.result(Array(sums[start..<start + count]), of: index)
        }
        return result
    }
}

extension BlockRearrangement: MovingDefinition {}
extension CenterCropPad: MovingDefinition {}
extension Compression: MovingDefinition {}
extension Expand: MovingDefinition {}
extension Gather: MovingDefinition {}
extension IndexedGather: MovingDefinition {}
extension MaxUnpooling: MovingDefinition {}
extension Reshaping: MovingDefinition {}
extension ReverseSequence: MovingDefinition {}
extension Slice: MovingDefinition {}
extension Split: MovingDefinition {}
extension Tile: MovingDefinition {}
extension Transpose: MovingDefinition {}
extension Triangle: MovingDefinition {}

extension Concat: MovingDefinition {
    package func movedInputs(count: Int) -> [Int] { Array(0..<count) }
}

extension Pad: MovingDefinition {
    package var fillInput: Int? { 2 }
}

extension Selection: MovingDefinition {
    package func movedInputs(count: Int) -> [Int] { [1, 2] }
}

extension Cast: DifferentiableDefinition {
    package func inputGradients(_ derivative: Derivative) -> [Int: Tensor] { passed(derivative) }
}

extension CastLike: DifferentiableDefinition {
    package func inputGradients(_ derivative: Derivative) -> [Int: Tensor] { passed(derivative) }
}

extension Operator {
    /// The gradient as it is, of numbers that are converted from one floating-point type to another.
    fileprivate func passed(_ derivative: Derivative) -> [Int: Tensor] {
        guard derivative.types[0].elementType.isFloatingPoint, let gradient = derivative.gradients[0] else {
            return [:]
        }
        return [0: gradient]
    }
}
