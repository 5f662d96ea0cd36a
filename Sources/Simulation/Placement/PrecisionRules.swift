import Graph
import Nodes
import Operators

/// Precisions that the target's kernels have, whatever was asked for. They are the reference's "exception rules".
enum PrecisionRules {
    /// Targets without 16-bit weights.
    private static let narrowTargets: Set = ["V66", "V68", "V69"]
    private static let rescalingNorms: Set = ["GroupNormalization", "InstanceNormalization", "RMSNormalization"]
    private static let centeringNorms: Set = ["BatchNormalization", "LayerNormalization"]

    static func apply(to state: inout PlacementState) {
        for (index, node) in state.graph.graph.nodes.enumerated() {
            if rescalingNorms.contains(node.opType) || centeringNorms.contains(node.opType) {
                limitParameters(of: index, node, in: &state)
            } else if node.opType == "MatMul" {
                limitDynamicProduct(node, in: &state)
            }
        }
    }

    private static func limitParameters(of index: Int, _ node: Node, in state: inout PlacementState) {
        let output = node.outputs.first.flatMap { state.activations[$0] }.flatMap { $0.enabled ? $0.settings : nil }
        for parameter in state.graph.parameters[index] {
            guard let quantizer = state.parameters[parameter.tensor], quantizer.enabled else { continue }
            var settings = quantizer.settings
            settings.bitwidth = max(settings.bitwidth, 8)
            if rescalingNorms.contains(node.opType) {
                settings.symmetric = output?.symmetric ?? false
                settings.bitwidth = output?.bitwidth ?? settings.bitwidth
            } else {
                if isNarrow(state) { settings.bitwidth = 8 }
                settings.symmetric = settings.bitwidth >= 16
            }
            if settings.bitwidth != quantizer.settings.bitwidth {
                state.set(
                    .bitwidth(settings.bitwidth), of: parameter.tensor, by: BuiltInRule.normalizationParameter,
                    at: node)
            }
            if settings.symmetric != quantizer.settings.symmetric {
                state.set(
                    .symmetric(settings.symmetric), of: parameter.tensor, by: BuiltInRule.normalizationParameter,
                    at: node)
            }
        }
    }

    /// A product of two activations takes its second operand as a weight: of 8 bits and symmetric on old targets; on
    /// newer ones 16 bits ask for symmetry, and for 16 bits of the first operand.
    private static func limitDynamicProduct(_ node: Node, in state: inout PlacementState) {
        guard state.config.defaults.hardwareVersion != nil, node.inputs.count > 1,
            !state.graph.parameterNames.contains(node.inputs[1]),
            let first = state.effectiveQuantizer(of: node.inputs[0])?.quantizer,
            let second = state.effectiveQuantizer(of: node.inputs[1])?.quantizer
        else { return }
        func set(_ change: PlacementStep.Change, _ tensor: String) {
            state.set(change, of: tensor, by: BuiltInRule.dynamicProduct, at: node)
        }
        if isNarrow(state) {
            if !second.settings.symmetric { set(.symmetric(true), second.tensor) }
            if second.settings.bitwidth != 8 { set(.bitwidth(8), second.tensor) }
        } else if second.settings.bitwidth == 16 {
            if !second.settings.symmetric { set(.symmetric(true), second.tensor) }
            if first.settings.bitwidth != 16 { set(.bitwidth(16), first.tensor) }
        }
    }

    private static func isNarrow(_ state: PlacementState) -> Bool {
        state.config.defaults.hardwareVersion.map(narrowTargets.contains) ?? false
    }
}
