import Graph

/// An operator and what is fused behind it: the smallest thing that is compiled.
package struct Unit {
    package var node: Node
    var `operator`: any Operator
    /// The values that the unit defines: the node's outputs, or the last follower's where something is fused.
    package var outputs: [String]
    /// What is done to each element before it is stored, in order.
    package var post: [PostOperation] = []
    /// The value that a fused addition adds (`post` holds `.sum`).
    package var addend: String?

    /// Every value that the unit reads, one entry per use.
    var inputs: [String] { node.inputs.filter { !$0.isEmpty } + (addend.map { [$0] } ?? []) }
}

/// An operator whose primitive applies post-operations as it stores its output.
protocol PostOperable: Operator {
    /// Whether an addition may be fused too, not only functions of one element.
    var fusesAddition: Bool { get }
}
