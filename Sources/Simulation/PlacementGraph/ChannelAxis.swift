import Graph
import Nodes
import Operators

/// Along which axes of a layer's parameter the output channels lie, and the input channels.
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

    /// The axis that products are summed over, which blocks cut.
    /// - Returns: nil where there is none, or no axis of output channels beside it.
    static func ofInput(_ node: Node, rank: Int) -> Int? {
        guard rank >= 2, let channels = of(node, rank: rank) else { return nil }
        if node.opType == "MatMul" { return rank - 2 }
        return 1 - channels
    }
}
