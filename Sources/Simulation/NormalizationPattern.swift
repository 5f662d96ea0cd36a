import Graph
import Tensors

/// A LayerNormalization or RMSNormalization that an exporter wrote out in elementary ops:
/// `x / sqrt(mean(x * x) + epsilon) * scale`, for LayerNormalization with `x - mean(x)` for x and a bias added.
struct NormalizationPattern {
    /// `LayerNormalization` or `RMSNormalization`.
    let opType: String
    /// Its input, scale and bias, as far as there are any.
    var inputs: [String]
    /// Indices of all its nodes.
    var nodes: Set<Int>
    /// The node that makes the result.
    var last: Int

    /// All such patterns of a graph; no node is in two.
    /// - Parameter opTypes: those that are looked for.
    static func all(in graph: Graph, _ opTypes: Set<String>) -> [NormalizationPattern] {
        let matcher = NormalizationMatcher(graph: graph, uses: ValueUses(graph), opTypes: opTypes)
        var found: [NormalizationPattern] = []
        var taken: Set<Int> = []
        // With a scale first: its last node alone tells that from the same without one.
        for match in [matcher.scaled, matcher.unscaled] {
            for index in graph.nodes.indices {
                let isFree = { matcher.isClosed($0) && taken.isDisjoint(with: $0.nodes) }
                guard let pattern = match(index).first(where: isFree) else { continue }
                taken.formUnion(pattern.nodes)
                found.append(pattern)
            }
        }
        return found
    }
}

private struct NormalizationMatcher {
    let graph: Graph
    let uses: ValueUses
    let opTypes: Set<String>

    /// Nobody outside of the pattern uses what its inner nodes make.
    func isClosed(_ pattern: NormalizationPattern) -> Bool {
        pattern.nodes.subtracting([pattern.last]).flatMap { graph.nodes[$0].outputs }.allSatisfy { output in
            !uses.outputs.contains(output) && pattern.nodes.isSuperset(of: uses.consumers[output] ?? [])
        }
    }

    /// Normalizations with a constant scale that end with this node, or with the addition of a constant bias behind it;
    /// preferred ones first.
    func scaled(_ index: Int) -> [NormalizationPattern] {
        guard let (scale, value) = constantOperand(of: index, "Mul"), let core = normalized(value) else { return [] }
        var patterns: [NormalizationPattern] = []
        let nodes = core.nodes.union([index])
        if let (input, centering) = uncentered(core.input), isOverOneAxis(nodes.union(centering)) {
            let centered = NormalizationPattern(
                opType: "LayerNormalization", inputs: [input, scale], nodes: nodes.union(centering), last: index)
            if let sum = uses.soleConsumer(of: graph.nodes[index].outputs[0]),
                let (bias, _) = constantOperand(of: sum, "Add")
            {
                var biased = centered
                biased.inputs.append(bias)
                biased.nodes.insert(sum)
                biased.last = sum
                patterns.append(biased)
            }
            patterns.append(centered)
        }
        patterns.append(
            NormalizationPattern(
                opType: "RMSNormalization", inputs: [core.input, scale], nodes: nodes, last: index))
        return patterns.filter { opTypes.contains($0.opType) }
    }

    /// A normalization to a mean square of one that ends with this node.
    func unscaled(_ index: Int) -> [NormalizationPattern] {
        guard opTypes.contains("RMSNormalization"), let output = graph.nodes[index].outputs.first,
            let core = normalized(output)
        else { return [] }
        return [
            NormalizationPattern(opType: "RMSNormalization", inputs: [core.input], nodes: core.nodes, last: index)
        ]
    }

    /// x and the nodes between, where the value is x / sqrt(mean(x * x) + epsilon).
    private func normalized(_ value: String) -> (input: String, nodes: Set<Int>)? {
        guard let index = uses.producers[value] else { return nil }
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
        guard let index = producer(of: value, "Sqrt") else { return nil }
        return (graph.nodes[index].inputs[0], [index])
    }

    private func inverseSquareRoot(_ value: String) -> (radicand: String, nodes: Set<Int>)? {
        guard let index = uses.producers[value] else { return nil }
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
        guard let sum = uses.producers[value], let (_, mean) = constantOperand(of: sum, "Add"),
            let reduction = producer(of: mean, "ReduceMean"), axis(of: reduction) != nil,
            let square = uses.producers[graph.nodes[reduction].inputs[0]]
        else { return nil }
        let node = graph.nodes[square]
        let isSquare =
            node.opType == "Mul" && node.inputs == [input, input]
            || node.opType == "Pow" && node.inputs[0] == input && isConstant(node.inputs[1], 2)
        return isSquare ? [sum, reduction, square] : nil
    }

    /// x and the nodes between, where the value is x - mean(x).
    private func uncentered(_ value: String) -> (input: String, nodes: Set<Int>)? {
        guard let difference = producer(of: value, "Sub"),
            let mean = producer(of: graph.nodes[difference].inputs[1], "ReduceMean")
        else { return nil }
        let input = graph.nodes[difference].inputs[0]
        return graph.nodes[mean].inputs[0] == input ? (input, [difference, mean]) : nil
    }

    private func producer(of value: String, _ opType: String) -> Int? {
        uses.producers[value].flatMap { graph.nodes[$0].opType == opType ? $0 : nil }
    }

    /// The constant and the other operand of a node that takes both in any order.
    private func constantOperand(of index: Int, _ opType: String) -> (constant: String, other: String)? {
        let node = graph.nodes[index]
        guard node.opType == opType, node.inputs.count == 2 else { return nil }
        for (constant, other) in [(1, 0), (0, 1)] where graph.constants[node.inputs[constant]] != nil {
            return (node.inputs[constant], node.inputs[other])
        }
        return nil
    }

    private func isConstant(_ value: String, _ number: Float) -> Bool {
        guard let constant = graph.constants[value], constant.elementType == .float32, constant.count == 1 else {
            return false
        }
        return constant.elements(as: Float.self)[0] == number
    }

    /// Whether all means are taken over the same axis.
    private func isOverOneAxis(_ nodes: Set<Int>) -> Bool {
        let axes = nodes.filter { graph.nodes[$0].opType == "ReduceMean" }.map(axis)
        return axes.allSatisfy { $0 != nil && $0 == axes[0] }
    }

    /// The one axis of a reduction, as the file has it: an attribute, or an input from opset 18 on.
    private func axis(of index: Int) -> Int? {
        let node = graph.nodes[index]
        if case .ints(let axes)? = node.attributes["axes"] { return axes.count == 1 ? axes[0] : nil }
        guard node.inputs.count > 1, let axes = graph.constants[node.inputs[1]], axes.count == 1,
            axes.elementType == .int64
        else { return nil }
        return Int(axes.elements(as: Int64.self)[0])
    }
}
