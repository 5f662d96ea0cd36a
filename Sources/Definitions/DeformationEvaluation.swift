import Nodes
import Operators
import TensorFunctions
import Tensors

extension DeformableConvolution: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let operands = inputs.prefix(3).compactMap { $0?.constant }
        guard operands.count == 3 else { return nil }
        let others = (3...4).map { $0 < inputs.count ? inputs[$0]?.constant : nil }
        return [
            deformed(operands).convolved(operands, bias: others[0], mask: others[1], shape: types[0].shape)
        ]
    }

    /// The convolution of an input by a weight.
    package func deformed(_ operands: [Tensor]) -> DeformedWindow {
        let kernel = Array(operands[1].shape.dimensions.dropFirst(2))
        let extents = Array(operands[0].shape.dimensions.dropFirst(2))
        return DeformedWindow(
            kernel: kernel, strides: [window.stride(0), window.stride(1)],
            dilations: [window.dilation(0), window.dilation(1)],
            begin: window.resolvedPadding(input: extents, kernel: kernel).begin, groups: groups,
            offsetGroups: offsetGroups)
    }
}
