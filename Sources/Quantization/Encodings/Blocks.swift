/// Runs of neighbouring elements along an axis of a tensor, each with a grid of its own: how its channels are cut.
public struct Blocks: Equatable, Hashable, Sendable, Codable {
    /// From the front, usually that of the input channels, which products are summed over. Nil only in encodings of a file
    /// before 2.0.0, which does not carry it, until a graph has told.
    public var axis: Int?
    /// Elements of a block along its axis.
    public var size: Int

    /// - Parameter size: elements; divides the extent of the axis.
    public init(axis: Int?, size: Int) {
        self.axis = axis
        self.size = size
    }
}
