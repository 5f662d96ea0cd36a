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

/// The graph of a model as a job wants it, with the nodes of its loss.
package struct WholeGraph: Sendable {
    package var graph: Graph
    /// What the model came with as QuantizeLinear and DequantizeLinear nodes.
    package let encodings: [String: TensorEncodings]
    /// What equalization did, and the graph before it; nil where the job wants none.
    package let equalization: (outcome: CrossLayerEqualization.Outcome, before: Graph)?
}

extension JobFile {
    /// The graph of a model after what the job does to it without samples: batch norms are folded first, then layers are equalized.
    /// What has encodings in the model stays as it is.
    package func wholeGraph(_ model: ImportedModel) throws -> WholeGraph {
        try model.graph.checkConstants()
        let kept = Set(model.encodings.keys)
        var graph = model.graph
        var folds: [BatchNormFolding.Fold] = []
        // Constants come first: batch norms fold into weights that some exporters compute from other constants.
        if postTraining.contains(.foldBatchNorms) {
            (graph, _, folds) = BatchNormFolding.foldTellingFolds(graph, keeping: kept)
        }
        var equalization: (outcome: CrossLayerEqualization.Outcome, before: Graph)?
        if postTraining.contains(.crossLayerEqualization) {
            let outcome = CrossLayerEqualization.equalize(graph, folds: folds, keeping: kept)
            equalization = (outcome, graph)
            graph = outcome.graph
        }
        if postTraining.contains(.biasCorrection) { graph = ProductLayer.addingBiases(to: graph) }
        return WholeGraph(graph: graph, encodings: model.encodings, equalization: equalization)
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
