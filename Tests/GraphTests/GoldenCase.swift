import Foundation
import Graph
import ONNX
import Tensors
import Testing

/// The folder of golden files of a module, made by the script beside them.
func golden(_ name: String) throws -> Data {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    return try Data(contentsOf: folder.appendingPathComponent("Golden/Graph/\(name)"))
}

/// A small model with the shapes of its inputs and what ONNX Runtime makes of it.
struct GoldenCase<Expected: Decodable & Sendable>: Decodable, Sendable, CustomTestStringConvertible {
    let name: String
    /// A serialized ModelProto.
    let model: Data
    let inputs: [String: [Int]]
    let outputs: Expected?

    var testDescription: String { name }

    static func read(_ file: String) throws -> [GoldenCase] {
        try JSONDecoder().decode([GoldenCase].self, from: golden(file))
    }

    func graph() throws -> Graph { try Graph(importing: ONNXFile(decoding: model, name: name)) }

    func specialized() throws -> SpecializedGraph {
        try graph().specialized(inputShapes: inputs.mapValues { Shape($0) })
    }
}

/// An array as the golden scripts write it.
struct GoldenArray: Decodable, Sendable {
    /// numpy's name of the element type.
    let type: String
    let shape: [Int]
    let bytes: Data

    var tensor: Tensor? {
        ElementType(rawValue: type).map {
            Tensor(shape: Shape(shape), elementType: $0, storage: TensorStorage(viewing: bytes))
        }
    }
}
