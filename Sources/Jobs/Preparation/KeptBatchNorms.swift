import Graph
import Nodes
import Operators
import PostTraining
import Quantization
import Simulation

/// Batch norms that stay in the graph while it is trained, and are folded in the end.
///
/// A layer and the batch norm behind it will be one layer, so quantizers lie where they will lie then: what would be the
/// output of the folded layer is the output of the batch norm, and nothing is rounded in between. Weights are rounded as
/// they are, before the batch norm scales them, which the scales of their grids make up for in the end ("fold to scale").
/// The parameters of batch norms are not rounded.
package enum KeptBatchNorms {
    /// - Parameters:
    ///   - graph: with its batch norms, or some of them.
    ///   - place: places quantizers on a graph by the job's config.
    ///   - refine: applies what the user wants beside the config. It is of the model as it is exported, batch norms folded.
    package static func placement(
        on graph: Graph, _ place: (Graph) throws -> QuantizerPlacement,
        refine: (QuantizerPlacement, Graph) throws -> QuantizerPlacement = { placement, _ in placement }
    ) rethrows -> QuantizerPlacement {
        let (foldedGraph, folds) = BatchNormFolding.foldBehindLayers(graph)
        let folded = try refine(place(foldedGraph), foldedGraph)
        let placement = try place(graph)
        let names = Dictionary(uniqueKeysWithValues: folds.map { ($0.folded, $0.output) })
        func name(_ name: String) -> String { names[name] ?? name }

        let ofActivations = Dictionary(uniqueKeysWithValues: folded.activations.map { (name($0.tensor), $0) })
        let activations = placement.activations.map { quantizer in
            guard var moved = ofActivations[quantizer.tensor] else { return disabled(quantizer) }
            moved.tensor = quantizer.tensor
            moved.group = name(moved.group)
            return moved
        }
        let ofParameters = Dictionary(uniqueKeysWithValues: folded.parameters.map { ($0.tensor, $0) })
        let unrounded = normalizationParameters(of: graph).union(folds.map(\.bias))
        let parameters = placement.parameters.map { quantizer in
            guard let same = ofParameters[quantizer.tensor], !unrounded.contains(quantizer.tensor) else {
                return disabled(quantizer)
            }
            return same
        }
        let steps = Dictionary(uniqueKeysWithValues: folded.steps.map { (name($0.key), $0.value) })
        return QuantizerPlacement(activations: activations, parameters: parameters, steps: steps)
    }

    private static func disabled(_ quantizer: PlacedQuantizer) -> PlacedQuantizer {
        var disabled = quantizer
        disabled.enabled = false
        // It has no part in another's any more.
        disabled.group = quantizer.tensor
        return disabled
    }

    private static func normalizationParameters(of graph: Graph) -> Set<String> {
        Set(graph.nodes.filter { $0.opType == "BatchNormalization" }.flatMap { $0.inputs.dropFirst() })
    }

    /// Folds batch norms into the layers before them, where the grids of the weights can follow: those with one encoding
    /// per output channel, and weights that are not rounded. With one encoding for all, the weights of other channels
    /// would need other grids, so such a layer keeps its batch norm, and what was trained is what is exported.
    /// - Parameter encodings: of parameters.
    /// - Returns: the graph, its parameters' encodings, and what became of the outputs of batch norms that are gone.
    package static func foldingToScale(
        _ graph: Graph, _ encodings: [String: TensorEncodings]
    ) -> (graph: Graph, encodings: [String: TensorEncodings], renamed: [String: String]) {
        let (folded, folds) = BatchNormFolding.foldBehindLayers(graph) { layer in
            layer.inputs.count > 1 && encodings[layer.inputs[1]].map { $0.axis != nil || $0.dataType != .int } ?? true
        }
        var scaled = encodings
        for fold in folds { scaled[fold.weight] = encodings[fold.weight]?.scaled(by: fold.scale) }
        return (folded, scaled, Dictionary(uniqueKeysWithValues: folds.map { ($0.output, $0.folded) }))
    }
}
