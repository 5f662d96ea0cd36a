import Graph
import Nodes
import Operators
import Tensors

/// Masks are on no grid. What is -1000 or less in front of a Softmax, be it -10000, the least float or -inf, says that a place
/// counts for nothing; on a grid that reaches so far all other values would be one and the same. So a constant with such
/// numbers has no quantizer, nor what it is added to or chosen into on its way to the Softmax: on targets that is inside of the
/// Softmax. The reference rounds all of it. Neither has any other constant with infinities, which would become the end of the
/// grid of the rest.
enum MaskRule {
    /// exp(-1000) is zero, whatever else is in the row.
    private static let greatest: Float = -1000
    private static let softmaxes: Set = ["Softmax", "LogSoftmax"]
    /// A mask that goes in comes out, or a value with the mask in it.
    private static let carriers = OperatorTraits.gridPreserving.union([
        "Add", "Cast", "Concat", "Div", "Max", "Min", "Mul", "Sub", "Trilu", "Where",
    ])

    static func apply(to state: inout PlacementState) {
        let graph = state.graph.graph
        var masks: Set<String> = []
        for (name, constant) in graph.constants where state.graph.isActivation(name) {
            guard constant.elementType == .float32 else { continue }
            let (isMask, isInfinite) = constant.withUnsafeElements(as: Float.self) { elements in
                (elements.contains { $0 <= greatest }, elements.contains { $0.isInfinite })
            }
            if isMask { masks.insert(name) }
            if isInfinite { disable(name, by: BuiltInRule.infiniteConstant, in: &state) }
        }
        for node in graph.nodes {
            if node.opType == "ConstantOfShape", case .tensor(let value)? = node.attributes["value"],
                value.elementType == .float32, value.elements(as: Float.self).contains(where: { $0 <= greatest })
            {
                masks.formUnion(node.outputs)
            } else if carriers.contains(node.opType), !masks.isDisjoint(with: node.inputs) {
                masks.formUnion(node.outputs.filter(state.graph.holdsFloats))
            }
        }
        var reaching: Set<String> = []
        for node in graph.nodes.reversed() {
            guard
                softmaxes.contains(node.opType)
                    || carriers.contains(node.opType) && !reaching.isDisjoint(with: node.outputs)
            else { continue }
            reaching.formUnion(masks.intersection(node.inputs))
        }
        for name in reaching.sorted() { disable(name, by: BuiltInRule.mask, in: &state) }
    }

    private static func disable(_ tensor: String, by rule: String, in state: inout PlacementState) {
        if state.activations[tensor]?.enabled == true { state.set(.enabled(false), of: tensor, by: rule) }
    }
}
