/// Finds LayerNormalization or RMSNormalization that an exporter wrote out in elementary ops:
/// `x / sqrt(mean(x * x) + epsilon) * scale`, for LayerNormalization with `x - mean(x)` for x and a bias added.
struct NormalizationMatcher {
    let graph: PatternGraph
    /// Those that are looked for.
    let passes: Set<FusionPass>

    /// Normalizations with a constant scale that end with this node, or with the addition of a constant bias behind it;
    /// preferred ones first.
    func scaled(_ index: Int) -> [Fusion] {
        guard let (scale, value) = graph.constantOperand(of: index, "Mul"), let core = normalized(value) else {
            return []
        }
        var patterns: [Fusion] = []
        let nodes = core.nodes.union([index])
        if let (input, centering) = uncentered(core.input), isOverOneAxis(nodes.union(centering)) {
            let centered = fusion(
                .layerNormalization, [input, scale], nodes.union(centering), last: index)
            if let sum = graph.uses.soleConsumer(of: graph.nodes[index].outputs[0]),
                let (bias, _) = graph.constantOperand(of: sum, "Add")
            {
                var biased = centered
                biased.inputs.append(bias)
                biased.nodes.insert(sum)
                biased.last = sum
                patterns.append(biased)
            }
            patterns.append(centered)
        }
        patterns.append(fusion(.rmsNormalization, [core.input, scale], nodes, last: index))
        return patterns.filter { passes.contains($0.pass) }
    }

    /// A normalization to a mean square of one that ends with this node.
    func unscaled(_ index: Int) -> [Fusion] {
        guard passes.contains(.rmsNormalization), let output = graph.nodes[index].outputs.first,
            let core = normalized(output)
        else { return [] }
        return [fusion(.rmsNormalization, [core.input], core.nodes, last: index)]
    }

    private func fusion(_ pass: FusionPass, _ inputs: [String], _ nodes: Set<Int>, last: Int) -> Fusion {
        Fusion(pass: pass, opType: pass.rawValue, inputs: inputs, nodes: nodes, last: last)
    }

    /// x and the nodes between, where the value is x / sqrt(mean(x * x) + epsilon).
    private func normalized(_ value: String) -> (input: String, nodes: Set<Int>)? {
        guard let index = graph.uses.producers[value] else { return nil }
        let node = graph.nodes[index]
        guard node.inputs.count == 2 else { return nil }
        let candidates: [(input: String, root: (String) -> (String, Set<Int>)?, other: String)]
        switch node.opType {
        case "Div": candidates = [(node.inputs[0], squareRoot, node.inputs[1])]
        case "Mul":
            candidates = [
                (node.inputs[0], inverseSquareRoot, node.inputs[1]),
                (node.inputs[1], inverseSquareRoot, node.inputs[0]),
            ]
        default: return nil
        }
        for (input, root, other) in candidates {
            guard let (radicand, rootNodes) = root(other), let meanNodes = meanSquare(radicand, of: input) else {
                continue
            }
            return (input, rootNodes.union(meanNodes).union([index]))
        }
        return nil
    }

    private func squareRoot(_ value: String) -> (radicand: String, nodes: Set<Int>)? {
        guard let index = graph.producer(of: value, "Sqrt") else { return nil }
        return (graph.nodes[index].inputs[0], [index])
    }

    private func inverseSquareRoot(_ value: String) -> (radicand: String, nodes: Set<Int>)? {
        guard let index = graph.uses.producers[value] else { return nil }
        let node = graph.nodes[index]
        switch node.opType {
        case "Reciprocal": return squareRoot(node.inputs[0]).map { ($0.radicand, $0.nodes.union([index])) }
        case "Div" where isConstant(node.inputs[0], 1):
            return squareRoot(node.inputs[1]).map { ($0.radicand, $0.nodes.union([index])) }
        case "Pow" where isConstant(node.inputs[1], -0.5): return (node.inputs[0], [index])
        default: return nil
        }
    }

    /// The nodes of mean(x * x) + epsilon.
    private func meanSquare(_ value: String, of input: String) -> Set<Int>? {
        guard let sum = graph.uses.producers[value], let (_, mean) = graph.constantOperand(of: sum, "Add"),
            let reduction = graph.producer(of: mean, "ReduceMean"), graph.axis(of: reduction) != nil,
            let square = graph.uses.producers[graph.nodes[reduction].inputs[0]]
        else { return nil }
        let node = graph.nodes[square]
        let isSquare =
            node.opType == "Mul" && node.inputs == [input, input]
            || node.opType == "Pow" && node.inputs[0] == input && isConstant(node.inputs[1], 2)
        return isSquare ? [sum, reduction, square] : nil
    }

    /// x and the nodes between, where the value is x - mean(x).
    private func uncentered(_ value: String) -> (input: String, nodes: Set<Int>)? {
        guard let difference = graph.producer(of: value, "Sub"),
            let mean = graph.producer(of: graph.nodes[difference].inputs[1], "ReduceMean")
        else { return nil }
        let input = graph.nodes[difference].inputs[0]
        return graph.nodes[mean].inputs[0] == input ? (input, [difference, mean]) : nil
    }

    private func isConstant(_ value: String, _ number: Float) -> Bool { graph.number(value) == number }

    /// Whether all means are taken over the same axis.
    private func isOverOneAxis(_ nodes: Set<Int>) -> Bool {
        let axes = nodes.filter { graph.nodes[$0].opType == "ReduceMean" }.map(graph.axis)
        return axes.allSatisfy { $0 != nil && $0 == axes[0] }
    }
}
