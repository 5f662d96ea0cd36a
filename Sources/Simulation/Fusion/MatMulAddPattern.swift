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
