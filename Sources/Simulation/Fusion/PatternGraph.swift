import Graph
import Nodes
import Operators
import Tensors

/// A graph as patterns look at it.
struct PatternGraph {
    let nodes: [Node]
    let constants: [String: Tensor]
    let uses: ValueUses

    init(_ graph: Graph) {
        nodes = graph.nodes
        constants = graph.constants
        uses = ValueUses(graph)
    }

    /// Nobody outside of the pattern uses what its inner nodes make.
    func isClosed(_ fusion: Fusion) -> Bool {
        fusion.nodes.subtracting([fusion.last]).flatMap { nodes[$0].outputs }.allSatisfy { output in
            !uses.outputs.contains(output) && fusion.nodes.isSuperset(of: uses.consumers[output] ?? [])
        }
    }

    /// The node that makes the value, if of this type.
    func producer(of value: String, _ opType: String) -> Int? {
        uses.producers[value].flatMap { nodes[$0].opType == opType ? $0 : nil }
    }

    /// The constant and the other operand of a node that takes both in any order.
    func constantOperand(of index: Int, _ opType: String) -> (constant: String, other: String)? {
        let node = nodes[index]
        guard node.opType == opType, node.inputs.count == 2 else { return nil }
        for (constant, other) in [(1, 0), (0, 1)] where constants[node.inputs[constant]] != nil {
            return (node.inputs[constant], node.inputs[other])
        }
        return nil
    }

    /// The value of a constant of one float32.
    func number(_ value: String) -> Float? {
        guard let constant = constants[value], constant.elementType == .float32, constant.count == 1 else { return nil }
        return constant.elements(as: Float.self)[0]
    }

    /// The one axis of a reduction, as the file has it: an attribute, or an input from opset 18 on.
    func axis(of index: Int) -> Int? {
        let node = nodes[index]
        if case .ints(let axes)? = node.attributes["axes"] { return axes.count == 1 ? axes[0] : nil }
        guard node.inputs.count > 1, let axes = constants[node.inputs[1]], axes.count == 1, axes.elementType == .int64
        else { return nil }
        return Int(axes.elements(as: Int64.self)[0])
    }
}
