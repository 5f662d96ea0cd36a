import Graph
import Nodes
import Operators

/// The states of a recurrent cell share one quantizer, because the target's kernel has one grid for what goes around: the
/// sequence that goes in, the hidden state before the first step and after each one; and another for the cell state of an LSTM.
/// Quantizers follow the one of the output, on or off, as in the reference.
enum RecurrentTying {
    static func apply(to state: inout PlacementState) {
        // What is tied is found before anything is changed; where a quantizer is tied to two, the later node has it.
        var merges: [String: (owner: String, node: Int)] = [:]
        var order: [String] = []
        for (index, node) in state.graph.graph.nodes.enumerated() where OperatorTraits.recurrent.contains(node.opType) {
            func tie(_ tensor: String?, to owner: String) {
                guard let tensor, let group = state.activations[tensor]?.group else { return }
                if merges.updateValue((owner, index), forKey: group) == nil { order.append(group) }
            }
            func source(_ input: Int) -> String? {
                guard let tensor = node.inputs.dropFirst(input).first, !tensor.isEmpty else { return nil }
                return state.effectiveQuantizer(of: tensor)?.quantizer.tensor
            }
            func output(_ index: Int) -> String? {
                node.outputs.dropFirst(index).first.flatMap { state.activations[$0] == nil ? nil : $0 }
            }
            // Where the whole sequence is not wanted, the last hidden state stands for it.
            if let hidden = output(0) ?? output(1) {
                tie(source(0), to: hidden)
                tie(output(1), to: hidden)
                tie(source(5), to: hidden)
            }
            if let cell = output(2) { tie(source(6), to: cell) }
        }
        for group in order {
            guard let merge = merges[group] else { continue }
            state.merge(
                group, into: merge.owner, by: BuiltInRule.tiedStates, at: state.graph.graph.nodes[merge.node])
        }
    }
}
