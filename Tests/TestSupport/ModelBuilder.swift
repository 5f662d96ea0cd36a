import Foundation
import ONNX
import Tensors

/// Small model files in code.
public struct ModelBuilder {
    public var model = ONNXModelProto()

    public init(opset: Int = 17, irVersion: Int = 8) {
        model.irVersion = Int64(irVersion)
        var set = ONNXOperatorSetIdProto()
        set.version = Int64(opset)
        model.opsetImport = [set]
        model.graph.name = "built"
    }

    public var file: ONNXFile { ONNXFile(model: model, name: "built", directory: nil) }

    /// - Parameter shape: numbers, names, or "?"
    public mutating func input(_ name: String, _ shape: String...) { input(name, shape) }

    public mutating func input(_ name: String, _ shape: [String], type: ElementType = .float32) {
        model.graph.input.append(Self.info(name, shape, type))
    }

    public mutating func output(_ name: String, _ shape: String...) { output(name, shape) }

    public mutating func output(_ name: String, _ shape: [String]) { model.graph.output.append(Self.info(name, shape)) }

    public mutating func constant(_ name: String, _ tensor: Tensor) {
        model.graph.initializer.append(ONNXTensorProto(tensor, name: name))
    }

    /// - Parameters:
    ///   - attributes: lists of integers.
    ///   - integers: attributes of one integer.
    public mutating func node(
        _ opType: String, _ inputs: [String], _ outputs: [String], name: String = "", domain: String = "",
        _ attributes: [String: [Int64]] = [:], integers: [String: Int64] = [:]
    ) {
        var proto = ONNXNodeProto()
        (proto.opType, proto.input, proto.output, proto.name) = (opType, inputs, outputs, name)
        if !domain.isEmpty { proto.domain = domain }
        proto.attribute = attributes.sorted { $0.key < $1.key }.map { key, values in
            var attribute = ONNXAttributeProto()
            attribute.name = key
            attribute.type = .ints
            attribute.ints = values
            return attribute
        }
        proto.attribute += integers.sorted { $0.key < $1.key }.map { key, value in
            var attribute = ONNXAttributeProto()
            attribute.name = key
            attribute.type = .int
            attribute.i = value
            return attribute
        }
        model.graph.node.append(proto)
    }

    private static func info(
        _ name: String, _ shape: [String], _ type: ElementType = .float32
    ) -> ONNXValueInfoProto {
        var proto = ONNXValueInfoProto()
        proto.name = name
        let none = Tensor(shape: [0], elementType: type, storage: TensorStorage(byteCount: 0) { _ in })
        proto.type.tensorType.elemType = ONNXTensorProto(none, name: "").dataType
        proto.type.tensorType.shape = ONNXTensorShapeProto()
        proto.type.tensorType.shape.dim = shape.map { text in
            var extent = ONNXTensorShapeProto.Dimension()
            if let number = Int64(text) { extent.dimValue = number } else if text != "?" { extent.dimParam = text }
            return extent
        }
        return proto
    }
}
