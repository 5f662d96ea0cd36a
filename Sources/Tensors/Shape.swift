/// The extents of a tensor, outermost axis first. A scalar has no axes and one element.
public struct Shape: Hashable, Sendable, ExpressibleByArrayLiteral, CustomStringConvertible {
    /// Extents in elements; none is negative.
    public let dimensions: [Int]

    /// - Parameter dimensions: extents of the axes, the outermost first; none for a scalar.
    public init(_ dimensions: [Int]) {
        precondition(dimensions.allSatisfy { $0 >= 0 }, "a shape has no negative extent: \(dimensions)")
        self.dimensions = dimensions
    }

    /// Extents of the axes, the outermost first.
    public init(arrayLiteral elements: Int...) {
        self.init(elements)
    }

    /// How many axes there are.
    public var rank: Int { dimensions.count }

    /// The indices along the axes of an element.
    /// - Parameter place: of the element in order, below `count`.
    public func indices(of place: Int) -> [Int] {
        var rest = place
        return dimensions.reversed().map { extent in
            defer { rest /= extent }
            return rest % extent
        }.reversed()
    }

    /// The number of elements.
    public var count: Int { dimensions.reduce(1, *) }

    /// The extent of an axis, from the front.
    public subscript(axis: Int) -> Int { dimensions[axis] }

    /// Row-major strides in elements.
    public var strides: [Int] {
        var strides = [Int](repeating: 1, count: rank)
        for axis in stride(from: rank - 2, through: 0, by: -1) {
            strides[axis] = strides[axis + 1] * dimensions[axis + 1]
        }
        return strides
    }

    /// `[2, 3]`.
    public var description: String { "[" + dimensions.map(String.init).joined(separator: ", ") + "]" }
}
