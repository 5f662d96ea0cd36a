import Nodes
import Operators
import Tensors

/// Where the samples of a batch lie in a value: along one axis, of extent `outer * samples * inner`. Sample s has the elements
/// whose index along the axis is `(o * samples + s) * inner + i`, for every o below `outer` and i below `inner`.
///
/// Outer and inner differ from 1 where a Reshape has merged axes, as attention does with samples and heads.
public struct SamplePosition: Equatable, Sendable {
    /// From the front.
    public var axis: Int
    /// Blocks of all samples.
    public var outer: Int
    /// Neighbouring elements of one sample.
    public var inner: Int

    public init(axis: Int, outer: Int = 1, inner: Int = 1) {
        (self.axis, self.outer, self.inner) = (axis, outer, inner)
    }

    /// Whether sample s has the elements with index s along the first axis.
    public var isRows: Bool { self == SamplePosition(axis: 0) }

    /// The same place on another axis.
    package func moved(to axis: Int) -> SamplePosition { SamplePosition(axis: axis, outer: outer, inner: inner) }

    /// Of values that have this position and such a shape, for a number of samples.
    package func fits(_ shape: Shape, samples: Int) -> Bool {
        axis < shape.rank && shape[axis] == outer * samples * inner
    }
}
