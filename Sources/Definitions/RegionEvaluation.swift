import Nodes
import Operators
import TensorFunctions
import Tensors

extension RegionPooling: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let (image, regions) = (inputs.constants[0], inputs.constants[1])
        let pooled: Tensor?
        if isAligned {
            let entries = try node.constantInts(inputs, 2) ?? []
            guard entries.allSatisfy({ 0..<image.shape[0] ~= $0 }) else {
                throw GraphError(
                    .invalidInput, at: node, tensor: inputs[2]?.name, expected: "images below \(image.shape[0])",
                    found: "others")
            }
            pooled = pooling.aligned(image, regions, entries: entries)
        } else {
            pooled = pooling.maxima(image, regions).map { image.picking($0, shape: types[0].shape) }
        }
        guard let pooled else {
            throw GraphError(
                .invalidInput, at: node, tensor: inputs[1]?.name, expected: "regions of images, of moderate size",
                found: "others")
        }
        return [pooled]
    }
}
