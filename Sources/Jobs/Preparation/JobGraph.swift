import Graph
import JobFile
import ONNX
import PostTraining
import Quantization
import Simulation

/// A model file and its graph, constants folded, and the encodings that it came with as QuantizeLinear and DequantizeLinear nodes.
package struct ImportedModel: Sendable {
    package let file: ONNXFile
    package let graph: Graph
    package let encodings: [String: TensorEncodings]

    /// - Throws: as import and folding do.
    package init(_ file: ONNXFile) throws {
        self.file = file
        let imported = QDQImport(try Graph(importing: file))
        encodings = imported.encodings
        graph = try imported.graph.foldingConstants()
    }
}

extension JobFile {
    /// The graph of a model as the job wants it, with the nodes of its loss; and the encodings that it came with as
    /// QuantizeLinear and DequantizeLinear nodes. Batch norms beside what these are of stay as they are.
    package func wholeGraph(_ model: ImportedModel) throws -> (graph: Graph, encodings: [String: TensorEncodings]) {
        try model.graph.checkConstants()
        // Constants come first: batch norms fold into weights that some exporters compute from other constants.
        guard postTraining.contains(.foldBatchNorms) else { return (model.graph, model.encodings) }
        return (BatchNormFolding.fold(model.graph, keeping: Set(model.encodings.keys)).graph, model.encodings)
    }

    /// The graph without the output that is a training's loss, and without what only this output needs: what is quantized,
    /// evaluated and exported.
    /// - Throws: `JobError` where the graph has no such output, or no other.
    package func withoutLoss(_ graph: Graph) throws -> Graph {
        guard case .output(let name)? = training?.loss else { return graph }
        let others = graph.outputs.map(\.name).filter { $0 != name }
        guard graph.isOutput(name) else {
            throw error(
                .unknownChoice, key: "training.loss.output",
                expected: "an output of the model: \(alternatives(others))",
                found: name, suggestion: nearestWord(to: name, among: others))
        }
        guard !others.isEmpty else {
            throw error(
                .conflictingKeys, key: "training.loss.output", expected: "a model with another output beside its loss",
                found: "only \(name)")
        }
        return graph.removingOutput(name)
    }
}
