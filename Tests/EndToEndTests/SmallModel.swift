import Foundation
import ONNX
import Tensors

/// Networks of a few nodes, for tests that need one of a certain kind.
enum SmallModel {
    typealias Step = (type: String, inputs: [String], output: String, attributes: [String: Int])

    /// A linear classifier of 28 x 28 gray images: input [batch, 1, 28, 28], output [batch, 10].
    /// - Parameter batch: baked into a Reshape, so that the model takes no other.
    static func linear(
        weightColumns: Int = 784, followedBy steps: [Step] = [], batch: Int? = nil
    ) -> ONNXModelProto {
        let last = steps.isEmpty ? "output" : "scores"
        let weight = random([10, weightColumns], key: 1)
        return model(
            input: [1, 28, 28], batch: batch,
            constants: [
                ("weight", weight), ("zero", Tensor(shape: [1], [Float(0)])),
                ("extents", Tensor(shape: [2], [Int64(batch ?? 0), 784])),
            ],
            [
                batch == nil ? ("Flatten", ["input"], "flat", [:]) : ("Reshape", ["input", "extents"], "flat", [:]),
                ("Gemm", ["flat", "weight"], last, ["transB": 1]),
            ] + steps)
    }

    /// A convolution and an average, for color images of any size: output [batch, classes].
    static func convolution(classes: Int, height: Int, width: Int) -> ONNXModelProto {
        model(
            input: [3, height, width], constants: [("weight", random([classes, 3, 3, 3], key: 2))],
            [
                ("Conv", ["input", "weight"], "maps", [:]),
                ("GlobalAveragePool", ["maps"], "means", [:]),
                ("Flatten", ["means"], "output", [:]),
            ])
    }

    private static func model(
        input: [Int], batch: Int? = nil, constants: [(name: String, tensor: Tensor)], _ steps: [Step]
    ) -> ONNXModelProto {
        var model = ONNXModelProto()
        model.irVersion = 8
        var opset = ONNXOperatorSetIdProto()
        opset.version = 17
        model.opsetImport = [opset]
        model.graph.name = "small"
        model.graph.initializer = constants.map { ONNXTensorProto($0.tensor, name: $0.name) }
        model.graph.input = [value("input", [batch] + input.map { $0 })]
        model.graph.output = [value("output", nil)]
        model.graph.node = steps.map { step in
            var node = ONNXNodeProto()
            node.name = "node_\(step.output)"
            node.opType = step.type
            node.input = step.inputs
            node.output = [step.output]
            node.attribute = step.attributes.sorted { $0.key < $1.key }.map { name, value in
                var attribute = ONNXAttributeProto()
                attribute.name = name
                attribute.i = Int64(value)
                attribute.type = .int
                return attribute
            }
            return node
        }
        return model
    }

    private static func value(_ name: String, _ extents: [Int?]?) -> ONNXValueInfoProto {
        var value = ONNXValueInfoProto()
        value.name = name
        value.type.tensorType.elemType = 1
        guard let extents else { return value }
        value.type.tensorType.shape.dim = extents.map { extent in
            var dimension = ONNXTensorShapeProto.Dimension()
            if let extent { dimension.dimValue = Int64(extent) } else { dimension.dimParam = "batch" }
            return dimension
        }
        return value
    }

    private static func random(_ shape: Shape, key: UInt64) -> Tensor {
        var random = CounterRandom(key: key, 0)
        return Tensor(shape: shape, (0..<shape.count).map { _ in Float(random.next() >> 40) / Float(1 << 24) - 0.5 })
    }
}
