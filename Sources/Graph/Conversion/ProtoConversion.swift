import Foundation
import Nodes
import ONNX
import Operators
import Tensors

extension Node {
    init(_ proto: ONNXNodeProto, name: String, file: ONNXFile) throws {
        self.init(
            name: name, opType: proto.opType,
            domain: Node.isDefault(domain: proto.domain) ? "" : proto.domain,
            inputs: proto.input, outputs: proto.output)
        for attribute in proto.attribute {
            guard let value = try Attribute(attribute, file: file) else {
                throw GraphError(
                    .invalidAttribute, at: self, expected: "\(attribute.name): a number, string, list or tensor",
                    found: attribute.hasType ? "\(attribute.type)" : "no type")
            }
            guard attributes.updateValue(value, forKey: attribute.name) == nil else {
                throw GraphError(.invalidAttribute, at: self, expected: "one \(attribute.name)", found: "two")
            }
        }
        guard !outputs.isEmpty else {
            throw GraphError(.missingOutput, at: self, expected: "an output", found: "none")
        }
    }

    /// Writes what the node says over what `original` says; documentation and unknown fields stay.
    func proto(over original: ONNXNodeProto?, file: ONNXFile?) -> ONNXNodeProto {
        var proto = original ?? ONNXNodeProto()
        proto.name = name
        proto.opType = opType
        if !domain.isEmpty { proto.domain = domain }
        proto.input = inputs
        proto.output = outputs
        let known = Dictionary(proto.attribute.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        // In the file's order, new ones after them by name.
        let names = proto.attribute.map(\.name).filter { attributes[$0] != nil }
        let added = attributes.keys.filter { known[$0] == nil }.sorted()
        proto.attribute = (names + added).compactMap { name in
            guard let value = attributes[name] else { return nil }
            if let file, let kept = known[name], (try? Attribute(kept, file: file)) == value { return kept }
            return value.proto(name: name)
        }
        return proto
    }
}

extension Attribute {
    /// Nil for kinds that no supported operator has: types, sparse tensors, lists of tensors.
    init?(_ proto: ONNXAttributeProto, file: ONNXFile) throws {
        // A reference means something within a function alone.
        guard proto.refAttrName.isEmpty else { return nil }
        // Files of IR version 1 have no type field; the field that is set tells.
        switch proto.hasType ? proto.type : Self.impliedType(proto) {
        case .float: self = .float(proto.f)
        case .int: self = .int(Int(proto.i))
        case .string: self = .string(String(decoding: proto.s, as: UTF8.self))
        case .tensor: self = .tensor(try file.tensor(proto.t))
        case .floats: self = .floats(proto.floats)
        case .ints: self = .ints(proto.ints.map { Int($0) })
        case .strings: self = .strings(proto.strings.map { String(decoding: $0, as: UTF8.self) })
        case .graph: self = .graph(try Subgraph(proto.g, file: file))
        default: return nil
        }
    }

    private static func impliedType(_ proto: ONNXAttributeProto) -> ONNXAttributeProto.AttributeType {
        if proto.hasF { return .float }
        if proto.hasI { return .int }
        if proto.hasS { return .string }
        if proto.hasT { return .tensor }
        if proto.hasG { return .graph }
        if !proto.floats.isEmpty { return .floats }
        if !proto.ints.isEmpty { return .ints }
        return proto.strings.isEmpty ? .undefined : .strings
    }

    func proto(name: String) -> ONNXAttributeProto {
        var proto = ONNXAttributeProto()
        proto.name = name
        switch self {
        case .int(let value): (proto.type, proto.i) = (.int, Int64(value))
        case .float(let value): (proto.type, proto.f) = (.float, value)
        case .string(let value): (proto.type, proto.s) = (.string, Data(value.utf8))
        case .tensor(let value): (proto.type, proto.t) = (.tensor, ONNXTensorProto(value, name: name))
        case .ints(let values): (proto.type, proto.ints) = (.ints, values.map { Int64($0) })
        case .floats(let values): (proto.type, proto.floats) = (.floats, values)
        case .strings(let values): (proto.type, proto.strings) = (.strings, values.map { Data($0.utf8) })
        case .graph(let value): (proto.type, proto.g) = (.graph, value.proto(name: name))
        }
        return proto
    }
}

extension Subgraph {
    init(_ proto: ONNXGraphProto, file: ONNXFile) throws {
        self.init(
            inputs: proto.input.map(\.name), outputs: proto.output.map(\.name), nodes: [], constants: [:])
        for initializer in proto.initializer {
            guard constants.updateValue(try file.tensor(initializer), forKey: initializer.name) == nil else {
                throw GraphError(.duplicateValue, tensor: initializer.name)
            }
        }
        inputs.removeAll { constants[$0] != nil }
        nodes = try zip(proto.node, Graph.uniqueNames(proto.node)).map { try Node($0, name: $1, file: file) }
    }

    /// Without types of inputs and outputs: whoever runs it gives them.
    fileprivate func proto(name: String) -> ONNXGraphProto {
        func declaration(_ name: String) -> ONNXValueInfoProto {
            var proto = ONNXValueInfoProto()
            proto.name = name
            return proto
        }
        var proto = ONNXGraphProto()
        proto.name = name
        proto.input = inputs.map(declaration)
        proto.output = outputs.map(declaration)
        proto.initializer = constants.sorted { $0.key < $1.key }.map { ONNXTensorProto($1, name: $0) }
        proto.node = nodes.map { $0.proto(over: nil, file: nil) }
        return proto
    }
}

extension ValueInfo {
    init(_ proto: ONNXValueInfoProto) throws {
        let type = proto.type.tensorType
        guard let elementType = ElementType(onnxCode: Int(type.elemType)) else {
            throw GraphError(
                .unsupportedElementType, tensor: proto.name, expected: "a tensor of numbers",
                found: "element type \(type.elemType)")
        }
        if let extent = type.shape.dim.first(where: { $0.dimValue < -1 }) {
            throw GraphError(
                .inputShapeMismatch, tensor: proto.name, expected: "extents of at least 1, 0 or -1 where they are open",
                found: "\(extent.dimValue)")
        }
        let dimensions = type.shape.dim.map { extent -> Dimension in
            switch extent.value {
            // Old exporters write 0 or -1 where the extent is open.
            case .dimValue(let value)? where value > 0: .fixed(Int(value))
            // Paddle's exporter writes "?" for every extent that is open; they are not equal for it.
            case .dimParam(let name)? where !name.isEmpty && name != "?": .symbolic(name)
            default: .unknown
            }
        }
        self.init(name: proto.name, elementType: elementType, dimensions: type.hasShape ? dimensions : nil)
    }

    var proto: ONNXValueInfoProto {
        var proto = ONNXValueInfoProto()
        proto.name = name
        proto.type.tensorType.elemType = Int32(elementType.onnxCode)
        guard let dimensions else { return proto }
        proto.type.tensorType.shape = ONNXTensorShapeProto()
        proto.type.tensorType.shape.dim = dimensions.map { dimension in
            var extent = ONNXTensorShapeProto.Dimension()
            switch dimension {
            case .fixed(let value): extent.dimValue = Int64(value)
            case .symbolic(let name): extent.dimParam = name
            case .unknown: break
            }
            return extent
        }
        return proto
    }
}
