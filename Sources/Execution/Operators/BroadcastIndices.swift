import Tensors

/// Where the element of a broadcast operand lies that belongs to an element of the full shape, both row-major.
struct BroadcastIndices {
    private let dimensions: [Int]
    private let strides: [Int]

    init(of operand: Shape, in full: Shape) {
        dimensions = full.dimensions
        let offset = full.rank - operand.rank
        let own = operand.strides
        strides = full.dimensions.indices.map { axis in
            axis < offset || operand[axis - offset] == 1 ? 0 : own[axis - offset]
        }
    }

    subscript(index: Int) -> Int {
        var (rest, result) = (index, 0)
        for axis in dimensions.indices.reversed() {
            result += rest % dimensions[axis] * strides[axis]
            rest /= dimensions[axis]
        }
        return result
    }
}
