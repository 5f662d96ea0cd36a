import Tensors

extension Tensor {
    /// A number for each element that is equal for equal elements and less for lesser ones; all NaN are one, and
    /// greater than all numbers.
    package var orderedKeys: [UInt64] {
        if elementType.isFloatingPoint {
            return converted(to: .float64).elements(as: Double.self).map { value in
                if value.isNaN { return .max }
                // Negative numbers are ordered as their magnitudes are not; both zeros are one.
                let bits = (value == 0 ? 0 : value).bitPattern
                return bits >> 63 == 1 ? ~bits : bits | 1 << 63
            }
        }
        if elementType == .uint64 { return elements(as: UInt64.self) }
        return converted(to: .int64).elements(as: Int64.self).map { UInt64(bitPattern: $0) ^ 1 << 63 }
    }
}

/// Which of some rows of keys are equal.
package struct DistinctRows {
    /// The first row of each kind.
    package private(set) var first: [Int] = []
    /// Of each row, its kind.
    package private(set) var kinds: [Int]
    /// How many rows are of each kind.
    package private(set) var counts: [Int] = []

    /// - Parameters:
    ///   - keys: [rows, width].
    ///   - isSorted: kinds are in the order of their keys, else in that of their first rows.
    package init(_ keys: [UInt64], rows: Int, width: Int, isSorted: Bool) {
        kinds = [Int](repeating: 0, count: rows)
        /// Whether a row comes before another one, and whether they are equal.
        func compare(_ left: Int, _ right: Int) -> (isBefore: Bool, isEqual: Bool) {
            for place in 0..<width {
                let (a, b) = (keys[left * width + place], keys[right * width + place])
                if a != b { return (a < b, false) }
            }
            return (left < right, true)
        }
        let order = (0..<rows).sorted { compare($0, $1).isBefore }
        for (place, row) in order.enumerated() {
            if place > 0, compare(order[place - 1], row).isEqual {
                counts[counts.count - 1] += 1
            } else {
                first.append(row)
                counts.append(1)
            }
            kinds[row] = first.count - 1
        }
        guard !isSorted else { return }
        let renamed = first.indices.sorted { first[$0] < first[$1] }
        var names = renamed
        for (new, old) in renamed.enumerated() { names[old] = new }
        (first, counts) = (renamed.map { first[$0] }, renamed.map { counts[$0] })
        kinds = kinds.map { names[$0] }
    }
}

extension Tensor {
    /// Its different slices along an axis, or its different elements where that is nil; then where each is first, which of
    /// them each slice is, and how often each comes.
    package func distinct(along axis: Int?, isSorted: Bool) -> [Tensor] {
        let rows = axis.map { AxisRows(shape, axis: $0) } ?? AxisRows([count], axis: 0)
        let keys = orderedKeys
        let byRow = (0..<rows.extent).flatMap { index in
            (0..<rows.count).map { keys[rows.place(row: $0, index)] }
        }
        let found = DistinctRows(byRow, rows: rows.extent, width: rows.count, isSorted: isSorted)
        var extents = axis == nil ? [count] : shape.dimensions
        extents[axis ?? 0] = found.first.count
        let taken = AxisRows(Shape(extents), axis: axis ?? 0)
        var sources = [Int](repeating: 0, count: Shape(extents).count)
        for (index, row) in found.first.enumerated() {
            for line in 0..<taken.count { sources[taken.place(row: line, index)] = rows.place(row: line, row) }
        }
        let numbers = [found.first, found.kinds, found.counts].map { numbers in
            Tensor(shape: [numbers.count], numbers.map { Int64($0) })
        }
        return [picking(sources, shape: Shape(extents))] + numbers
    }
}
