import App
import Foundation
import Graph
import ONNX
import Tensors
import TestSupport
import Testing

/// A model of a golden folder, `NAME.onnx`, with what it is fed and what it gives in `NAME.npz`: `in.VALUE` and `out.VALUE`.
struct GoldenModel: CustomTestStringConvertible {
    let name: String
    private let folder: URL

    /// All models of a folder.
    static func all(in folder: String) -> [GoldenModel] {
        let folder = goldenFolder(folder)
        let files = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
        return files.filter { $0.hasSuffix(".onnx") }.sorted().map {
            GoldenModel(name: String($0.dropLast(5)), folder: folder)
        }
    }

    var testDescription: String { name }

    var file: URL { folder.appendingPathComponent("\(name).onnx") }

    /// Arrays by value.
    /// - Parameter prefix: "in." or "out.".
    func values(_ prefix: String) throws -> [String: Tensor] {
        let arrays = try NPZ.read(folder.appendingPathComponent("\(name).npz"))
        return Dictionary(
            uniqueKeysWithValues: arrays.filter { $0.name.hasPrefix(prefix) }
                .map { (String($0.name.dropFirst(prefix.count)), $0.tensor) })
    }

    /// Computes the model after a change that must not change what it computes.
    func check(changing change: (Graph) throws -> Graph = { $0 }) throws {
        let expected = try values("out.")
        let graph = try change(Graph(importing: ONNXFile.read(file))).foldingConstants()
        let found = try Inference.compute(graph, values("in."), nil)
        #expect(Set(found.map(\.name)) == Set(expected.keys))
        for (output, tensor) in found {
            let reference = try #require(expected[output])
            #expect(tensor.shape == reference.shape && tensor.elementType == reference.elementType, "\(output)")
            guard tensor.shape == reference.shape else { continue }
            for (x, y) in zip(Self.doubles(tensor), Self.doubles(reference)) {
                let isClose = x == y || x.isNaN && y.isNaN || abs(x - y) <= 1e-5 + 1e-3 * abs(y)
                guard isClose else {
                    Issue.record("\(output): \(x), not \(y)")
                    break
                }
            }
        }
    }

    private static func doubles(_ tensor: Tensor) -> [Double] {
        var values = [Double](repeating: 0, count: tensor.count)
        switch tensor.elementType {
        case .float64: values = tensor.elements(as: Double.self)
        case .int64: values = tensor.elements(as: Int64.self).map(Double.init)
        case .uint64: values = tensor.elements(as: UInt64.self).map(Double.init)
        default:
            var floats = [Float](repeating: 0, count: tensor.count)
            floats.withUnsafeMutableBufferPointer { tensor.copyAsFloats(into: $0) }
            values = floats.map(Double.init)
        }
        return values
    }
}
