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

    /// Two convolutions whose channels in between have weights of very different ranges: input [batch, 1, 28, 28], output
    /// [batch, 10].
    /// - Parameter clips: whether the values in between are limited to 0...6.
    static func unequalized(clips: Bool = false) -> ONNXModelProto {
        let first = random([8, 1, 3, 3], key: 3).elements(as: Float.self)
        let second = random([10, 8, 3, 3], key: 4).elements(as: Float.self)
        let factors: [Float] = [0.001, 0.01, 0.05, 0.5, 1, 10, 100, 500]
        return model(
            input: [1, 28, 28],
            constants: [
                ("first", Tensor(shape: [8, 1, 3, 3], first.enumerated().map { $1 * factors[$0 / 9] })),
                ("bias", Tensor(shape: [8], factors.map { $0 * 0.1 })),
                ("second", Tensor(shape: [10, 8, 3, 3], second.enumerated().map { $1 / factors[$0 / 9 % 8] })),
                ("low", Tensor(shape: [], [Float(0)])), ("high", Tensor(shape: [], [Float(6)])),
            ],
            [
                ("Conv", ["input", "first", "bias"], "maps", [:]),
                clips ? ("Clip", ["maps", "low", "high"], "positive", [:]) : ("Relu", ["maps"], "positive", [:]),
                ("Conv", ["positive", "second"], "scores", [:]), ("GlobalAveragePool", ["scores"], "means", [:]),
                ("Flatten", ["means"], "output", [:]),
            ])
    }

    /// As `unequalized`, and to its scores is added, ten billion times, how far they are from those of layers with the same weights
    /// that are not equalized.
    static func unequalizedAndSensitive() -> ONNXModelProto {
        var model = unequalized()
        for name in ["first", "bias", "second"] {
            guard var copy = model.graph.initializer.first(where: { $0.name == name }) else { continue }
            copy.name = "other_\(name)"
            model.graph.initializer.append(copy)
        }
        model.graph.initializer.append(ONNXTensorProto(Tensor(shape: [], [Float(1e10)]), name: "factor"))
        func node(_ type: String, _ inputs: [String], _ output: String) -> ONNXNodeProto {
            var node = ONNXNodeProto()
            (node.name, node.opType, node.input, node.output) = ("node_\(output)", type, inputs, [output])
            return node
        }
        model.graph.node.insert(
            contentsOf: [
                node("Conv", ["input", "other_first", "other_bias"], "other_maps"),
                node("Relu", ["other_maps"], "other_positive"), node("Abs", ["other_positive"], "other_same"),
                node("Conv", ["other_same", "other_second"], "other_scores"),
                node("Sub", ["scores", "other_scores"], "difference"), node("Mul", ["difference", "factor"], "large"),
                node("Add", ["scores", "large"], "sums"),
            ], at: 3)
        for index in model.graph.node.indices where model.graph.node[index].opType == "GlobalAveragePool" {
            model.graph.node[index].input = ["sums"]
        }
        return model
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
