/// The determinant of a square matrix, by Gaussian elimination with the greatest pivot of each column.
/// - Parameter matrix: [size, size], row-major.
package func determinant(_ matrix: ArraySlice<Double>, size: Int) -> Double {
    var rows = Array(matrix)
    var product = 1.0
    for column in 0..<size {
        var pivot = column
        for row in column..<size where rows[row * size + column].magnitude > rows[pivot * size + column].magnitude {
            pivot = row
        }
        if pivot != column {
            for place in column..<size { rows.swapAt(pivot * size + place, column * size + place) }
            product = -product
        }
        let divisor = rows[column * size + column]
        product *= divisor
        // No pivot: zero, or not a number.
        if divisor == 0 || !divisor.isFinite { return product }
        for row in column + 1..<size {
            let factor = rows[row * size + column] / divisor
            for place in column..<size { rows[row * size + place] -= factor * rows[column * size + place] }
        }
    }
    return product
}

/// How the determinant of a square matrix changes with one of its elements.
package func cofactor(_ matrix: ArraySlice<Double>, size: Int, row: Int, column: Int) -> Double {
    let rest = matrix.enumerated().filter { $0.offset / size != row && $0.offset % size != column }.map(\.element)
    let minor = determinant(rest[...], size: size - 1)
    return (row + column) % 2 == 0 ? minor : -minor
}
