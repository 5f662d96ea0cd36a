/// What `supergroup_pass_list` may name: patterns of nodes that run as one op on the target.
enum FusionPass: String, CaseIterable {
    case layerNormalization = "LayerNormalization"
    case rmsNormalization = "RMSNormalization"
    case matMulAdd = "MatmulAdd"
    case maskedSoftmax = "MaskedSoftmax"
    /// Not in the reference.
    case gelu = "GELU"
}
