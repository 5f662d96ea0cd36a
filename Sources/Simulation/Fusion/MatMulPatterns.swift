import Graph
import Nodes
import Operators

/// A product with a constant matrix and the addition of a constant vector, in either order: one Gemm on the target, so that
/// the vector is its bias.
enum MatMulAddPattern {
    static func fusions(endingAt index: Int, in graph: PatternGraph) -> [Fusion] {
        guard let (bias, value) = graph.constantOperand(of: index, "Add"), graph.constants[bias]?.shape.rank == 1,
            let product = graph.producer(of: value, "MatMul")
        else { return [] }
        let factors = graph.nodes[product].inputs
        guard factors.count == 2, graph.constants[factors[1]]?.shape.rank == 2 else { return [] }
        return [
            Fusion(pass: .matMulAdd, opType: "Gemm", inputs: factors + [bias], nodes: [product, index], last: index)
        ]
    }
}

/// `Softmax(Where(mask, x, ReduceMin(x) + c))` over the last axis, where c is -20 or less: what is masked out is so far below
/// the smallest of the rest that it comes to nothing, on every grid.
///
/// As in the reference the order of the sum and the axis of the Softmax have to be written as here, and c, which the op
/// has built in, has no quantizer. The reference asks for an x of four axes too; here shapes are not known.
enum MaskedSoftmaxPattern {
    static func fusions(endingAt index: Int, in graph: PatternGraph) -> [Fusion] {
        let softmax = graph.nodes[index]
        guard softmax.opType == "Softmax", isLast(softmax.attributes["axis"]), let masked = softmax.inputs.first,
            let choice = graph.producer(of: masked, "Where"), graph.nodes[choice].inputs.count == 3
        else { return [] }
        let (mask, input) = (graph.nodes[choice].inputs[0], graph.nodes[choice].inputs[1])
        guard let sum = graph.producer(of: graph.nodes[choice].inputs[2], "Add"), graph.nodes[sum].inputs.count == 2,
            let distance = graph.number(graph.nodes[sum].inputs[1]), distance <= -20,
            let reduction = graph.producer(of: graph.nodes[sum].inputs[0], "ReduceMin"),
            graph.nodes[reduction].inputs.first == input, isLast(graph.axis(of: reduction).map { .int($0) })
        else { return [] }
        return [
            Fusion(
                pass: .maskedSoftmax, opType: "MaskedSoftmax", inputs: [input, mask],
                nodes: [reduction, sum, choice, index], last: index)
        ]
    }

    private static func isLast(_ axis: Attribute?) -> Bool { axis == .int(-1) || axis == .int(3) }
}
