import Nodes
import Operators
import TensorFunctions
import Tensors

extension Einsum: EvaluatedOperator {
    /// Sums in double precision, over the axes that the output lacks, in the order of their names.
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let (axes, output, extents) = try layout(inputs: inputs)
        let operands = inputs.constants.map { $0.converted(to: .float64).elements(as: Double.self) }
        guard operands.count == axes.count else { return nil }
        let summed = extents.keys.filter { !output.contains($0) }.sorted()
        let (outer, inner) = (Shape(output.map { extents[$0] ?? 1 }), Shape(summed.map { extents[$0] ?? 1 }))
        // How far a step along each axis goes in each operand; an axis of extent one is the same everywhere.
        func steps(_ along: [Axis]) -> [[Int]] {
            zip(axes, inputs.constants).map { own, tensor in
                let strides = tensor.shape.strides
                return along.map { axis in
                    own.indices.reduce(0) { $0 + (own[$1] == axis && tensor.shape[$1] > 1 ? strides[$1] : 0) }
                }
            }
        }
        func offsets(_ shape: Shape, _ along: [Axis]) -> [[Int]] {
            let steps = steps(along)
            var offsets: [[Int]] = []
            shape.forEachPosition { position in
                offsets.append(steps.map { zip(position, $0).reduce(0) { $0 + $1.0 * $1.1 } })
            }
            return offsets
        }
        let terms = offsets(inner, summed)
        let sums = offsets(outer, output).map { start in
            terms.reduce(0.0) { sum, step in
                sum + operands.indices.reduce(1.0) { $0 * operands[$1][start[$1] + step[$1]] }
            }
        }
        return [Tensor(shape: outer, sums).converted(to: types[0].elementType)]
    }
}
