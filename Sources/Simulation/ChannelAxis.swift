import Graph

/// Along which axis of a layer's parameter the output channels lie.
enum ChannelAxis {
    /// - Parameter rank: of the parameter. One axis is always the channels.
    /// - Returns: nil where the op has no output channels of its own, or where they are not one axis of the weight: a
    ///   transposed convolution with groups.
    static func of(_ node: Node, rank: Int) -> Int? {
        if rank == 1 { return 0 }
        switch node.opType {
        case "Conv": return 0
        case "ConvTranspose": return node.attributes["group"] ?? .int(1) == .int(1) ? 1 : nil
        case "Gemm": return node.attributes["transB"] ?? .int(0) == .int(0) ? 1 : 0
        case "MatMul": return rank - 1
        default: return nil
        }
    }
}
