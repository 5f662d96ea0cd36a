import Foundation
import Nodes
import ONNX
import Operators
import Tensors

extension Graph {
    /// The graph as a model file. Metadata, documentation, fields that are not understood, and the declared types of
    /// values that still exist come from `original`; nodes, inputs, outputs and initializers from the graph. All data is
    /// inside the model. Where the graph's operator set is later than the file's, the file's IR version is at least the one
    /// that came with it.
    public func exported(over original: ONNXFile) -> ONNXFile {
        var model = original.model
        let before = model.opsetImport.first { Node.isDefault(domain: $0.domain) }?.version ?? 0
        if opsetVersion > before { model.irVersion = max(model.irVersion, irVersion) }
        for index in model.opsetImport.indices where Node.isDefault(domain: model.opsetImport[index].domain) {
            model.opsetImport[index].version = Int64(opsetVersion)
        }
        // Calls of functions have become their nodes.
        if !model.functions.isEmpty {
            model.functions = []
            let used = Set(nodes.map(\.domain))
            model.opsetImport.removeAll { !Node.isDefault(domain: $0.domain) && !used.contains($0.domain) }
        }
        var proto = model.graph
        let originalNodes = Dictionary(
            zip(Self.uniqueNames(proto.node), proto.node), uniquingKeysWith: { first, _ in first })
        proto.name = name
        proto.node = nodes.map { node in
            let kept = originalNodes[node.name].flatMap { $0.opType == node.opType ? $0 : nil }
            return node.proto(over: kept, file: original)
        }
        proto.initializer = initializers(over: proto.initializer)
        proto.output = declarations(outputs, over: proto.output)
        let values = Set(nodes.flatMap(\.outputs)).subtracting(outputs.map(\.name))
        proto.valueInfo = proto.valueInfo.filter { values.contains($0.name) || constants[$0.name] != nil }
        let listed = proto.input.filter { constants[$0.name] != nil }
        proto.input = declarations(inputs, over: proto.input)
        if model.irVersion < 4 {
            // Before IR version 4 every initializer must be listed as an input.
            let known = Dictionary(listed.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
            proto.input += proto.initializer.compactMap { initializer in
                guard let tensor = constants[initializer.name] else { return nil }
                let dimensions = tensor.shape.dimensions.map { ValueInfo.Dimension.fixed($0) }
                return known[initializer.name]
                    ?? ValueInfo(name: initializer.name, elementType: tensor.elementType, dimensions: dimensions).proto
            }
        }
        model.graph = proto
        var file = ONNXFile(model: model, name: original.name, directory: nil)
        file.hasExternalData = original.hasExternalData
        return file
    }

    /// The IR version that came with the operator set.
    private var irVersion: Int64 {
        switch opsetVersion {
        case 21...: 10
        case 19...: 9
        case 15...: 8
        case 12...: 7
        case 11: 6
        case 10: 5
        default: 4
        }
    }

    /// Constants in the file's order, new ones after them by name.
    private func initializers(over originals: [ONNXTensorProto]) -> [ONNXTensorProto] {
        var result: [ONNXTensorProto] = []
        var written: Set<String> = []
        for original in originals {
            guard let tensor = constants[original.name] else { continue }
            var proto = ONNXTensorProto(tensor, name: original.name)
            if original.hasDocString { proto.docString = original.docString }
            proto.unknownFields = original.unknownFields
            result.append(proto)
            written.insert(original.name)
        }
        for name in constants.keys.filter({ !written.contains($0) }).sorted() {
            if let tensor = constants[name] { result.append(ONNXTensorProto(tensor, name: name)) }
        }
        return result
    }

    /// The file's declaration where the graph says the same, else a new one.
    private func declarations(_ values: [ValueInfo], over originals: [ONNXValueInfoProto]) -> [ONNXValueInfoProto] {
        let known = Dictionary(originals.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        return values.map { value in
            if let original = known[value.name], (try? ValueInfo(original)) == value { return original }
            return value.proto
        }
    }
}
