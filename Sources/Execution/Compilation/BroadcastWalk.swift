import Tensors

/// Walks a row-major tensor row by row beside one that is broadcast onto it.
struct BroadcastWalk {
    private let dimensions: [Int]
    /// Of the smaller tensor, in elements; zero along axes that are broadcast.
    private let strides: [Int]

    /// - Parameter small: of the same rank as `full`; each extent is that of `full` or 1.
    init(of small: Shape, in full: Shape) {
        dimensions = full.rank == 0 ? [1] : full.dimensions
        strides =
            full.rank == 0 ? [0] : full.dimensions.indices.map { small[$0] == full[$0] ? small.strides[$0] : 0 }
    }

    /// Calls `body` for each row in order with the offset of its first element in the full and in the smaller tensor, its
    /// length, and the distance of neighbours in the smaller tensor: 0 or 1.
    func rows(_ body: (_ full: Int, _ small: Int, _ count: Int, _ stride: Int) -> Void) {
        let last = dimensions.count - 1
        let count = dimensions[last]
        guard !dimensions.contains(0) else { return }
        var position = [Int](repeating: 0, count: last)
        var (full, small) = (0, 0)
        while true {
            body(full, small, count, strides[last])
            full += count
            var axis = last - 1
            while axis >= 0 {
                position[axis] += 1
                small += strides[axis]
                if position[axis] < dimensions[axis] { break }
                small -= strides[axis] * dimensions[axis]
                position[axis] = 0
                axis -= 1
            }
            if axis < 0 { return }
        }
    }
}
