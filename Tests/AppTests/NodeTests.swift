import App
import Foundation
import Graph
import ONNX
import Operators
import Support
import Tensors
import TestSupport
import Testing

/// ONNX's own node tests, those that Tests/Golden/NodeTests has, and nodes of ONNX Runtime's operators, as they are: every input is
/// fed.
@Suite struct NodeTests {
    /// With the folder of Tests/Golden.
    static let names: [String] = ["NodeTests", "Contributed"].flatMap { folder in
        let files = (try? FileManager.default.contentsOfDirectory(atPath: goldenFolder(folder).path)) ?? []
        return files.filter { $0.hasSuffix(".onnx") }.map { "\(folder)/\($0.dropLast(5))" }.sorted()
    }

    private static func file(_ name: String, _ kind: String) -> URL {
        let parts = name.split(separator: "/")
        return goldenFolder(String(parts[0])).appendingPathComponent("\(parts[1]).\(kind)")
    }

    /// - Returns: whether all of its operators are known.
    private static func isKnown(_ name: String) throws -> Bool {
        try ONNXFile.read(file(name, "onnx")).inlinedGraph().node.allSatisfy { node in
            KnownOperators.supports(
                Node(name: "", opType: node.opType, domain: node.domain, inputs: [], outputs: []))
        }
    }

    @Test func thereAreCases() throws {
        let known = try Self.names.filter(Self.isKnown)
        print(
            "node tests: \(Self.names.count), of which \(Self.names.count - known.count) have operators that are not known"
        )
        #expect(known.count >= 330)
    }

    @Test(arguments: names) func outputsAgree(_ name: String) throws { try check(name) { $0 } }

    /// In the words of a later operator set a node computes the same.
    @Test(arguments: names) func outputsAgreeInALaterOperatorSet(_ name: String) throws {
        try check(name) { graph in
            let raised = graph.raisingOpset(to: 22)
            try raised.validate()
            return raised
        }
    }

    private func check(_ name: String, changing change: (Graph) throws -> Graph) throws {
        guard try Self.isKnown(name) else { return }
        let arrays = try NPZ.read(Self.file(name, "npz"))
        func values(_ prefix: String) -> [String: Tensor] {
            Dictionary(
                uniqueKeysWithValues: arrays.filter { $0.name.hasPrefix(prefix) }
                    .map { (String($0.name.dropFirst(prefix.count)), $0.tensor) })
        }
        let expected = values("out.")
        let file = try ONNXFile.read(Self.file(name, "onnx"))
        let graph = try change(Graph(importing: file)).foldingConstants()
        let found = try Inference.compute(graph, values("in."), nil)
        #expect(Set(found.map(\.name)) == Set(expected.keys))
        for (output, tensor) in found {
            let reference = try #require(expected[output])
            #expect(tensor.shape == reference.shape && tensor.elementType == reference.elementType, "\(output)")
            guard tensor.shape == reference.shape else { continue }
            let (own, others) = (doubles(tensor), doubles(reference))
            for (x, y) in zip(own, others) {
                let isClose = x == y || x.isNaN && y.isNaN || abs(x - y) <= 1e-5 + 1e-3 * abs(y)
                guard isClose else {
                    Issue.record("\(output): \(x), not \(y)")
                    break
                }
            }
        }
    }

    private func doubles(_ tensor: Tensor) -> [Double] {
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
