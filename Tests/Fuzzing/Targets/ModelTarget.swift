import Foundation
import Graph
import Nodes
import ONNX
import Operators

/// Model files: protobuf, tensors, the graph's import and validation.
final class ModelTarget: FuzzTarget {
    func run(_ input: Data) throws {
        guard let file = try refusing(with: ONNXError.self, { try ONNXFile(decoding: input) }) else { return }
        for initializer in file.model.graph.initializer {
            _ = try refusing(with: ONNXError.self) { try file.tensor(initializer) }
        }
        let graph: Graph
        do {
            graph = try Graph(importing: file)
        } catch is ONNXError {
            return
        } catch is GraphError {
            return
        } catch {
            throw FuzzFinding("import throws \(type(of: error)): \(error)")
        }
        // What was taken is sound by the graph's own rules.
        do { try graph.validate() } catch { throw FuzzFinding("an imported graph is not valid: \(error)") }
    }
}
