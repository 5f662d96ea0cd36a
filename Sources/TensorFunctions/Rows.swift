import Tensors

/// An axis of a tensor between those before it and those behind it: its rows are what a function along the axis works on.
package struct AxisRows {
    /// Indices before the axis, along it, and behind it.
    package let outer, extent, inner: Int

    package init(_ shape: Shape, axis: Int) {
        outer = shape.dimensions[..<axis].reduce(1, *)
        extent = shape[axis]
        inner = shape.dimensions[(axis + 1)...].reduce(1, *)
    }

    /// Rows in all.
    package var count: Int { outer * inner }

    /// The number of an element of a row, row-major in the whole tensor.
    package func place(row: Int, _ index: Int) -> Int { (row / inner * extent + index) * inner + row % inner }

    /// The indices along a row by their elements: of equal ones the first comes first.
    package func ranking<Number: Comparable>(_ elements: [Number], row: Int, takesLargest: Bool) -> [Int] {
        (0..<extent).sorted { left, right in
            let (a, b) = (elements[place(row: row, left)], elements[place(row: row, right)])
            return a == b ? left < right : takesLargest ? a > b : a < b
        }
    }
}
