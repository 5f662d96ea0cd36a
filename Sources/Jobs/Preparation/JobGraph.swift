import Graph
import JobFile
import ONNX
import PostTraining

/// A model file and its graph, constants folded.
package struct ImportedModel: Sendable {
    package let file: ONNXFile
    package let graph: Graph

    /// - Throws: as import and folding do.
    package init(_ file: ONNXFile) throws {
        self.file = file
        graph = try Graph(importing: file).foldingConstants()
    }
}

extension JobFile {
    /// The graph of a model as the job wants it, with the nodes of its loss.
    package func wholeGraph(_ model: ImportedModel) throws -> Graph {
        try model.graph.checkConstants()
        // Constants come first: batch norms fold into weights that some exporters compute from other constants.
        return postTraining.contains(.foldBatchNorms) ? BatchNormFolding.fold(model.graph).graph : model.graph
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
