import Graph
import Quantization

extension Graph {
    /// Encodings of parameters as read from a file, with the axis of their channels, which files before version 2 do not
    /// carry: it follows from the op that takes the parameter.
    public func locatingChannels(of encodings: [String: TensorEncodings]) -> [String: TensorEncodings] {
        var located = encodings
        for node in nodes {
            for input in node.inputs {
                guard let tensor = constants[input], let own = located[input], own.encodings.count > 1, own.axis == nil
                else { continue }
                located[input]?.axis = ChannelAxis.of(node, rank: tensor.shape.rank)
            }
        }
        return located
    }
}
