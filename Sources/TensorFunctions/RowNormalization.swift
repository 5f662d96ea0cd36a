/// Rows that are normalized: each element less its row's mean, where that is taken, over a measure of the row's spread; then
/// times a scale, plus a shift. Forwards and backwards, over row-major float32; sums are taken in double precision, in the
/// order of the elements.
package struct RowNormalization: Sendable {
    /// What a row is divided by. All but the first two leave its mean in it.
    package enum Spread: Sendable, Equatable {
        /// sqrt(variance + epsilon)
        case variance(epsilon: Float)
        /// sqrt(variance) + epsilon
        case deviation(epsilon: Float)
        /// sqrt(mean of squares + epsilon)
        case meanOfSquares(epsilon: Float)
        /// The sum of magnitudes; rows of zeros stay.
        case sumOfMagnitudes
        /// The root of the sum of squares; rows of zeros stay.
        case norm
    }

    let spread: Spread
    /// Rows, and elements in each.
    let rows, size: Int
    /// So many neighbours in a row have one scale and one shift.
    let run: Int
    /// So many rows have scales and shifts of their own before those of the first come again.
    let period: Int

    package init(_ spread: Spread, rows: Int, size: Int, run: Int = 1, period: Int = 1) {
        (self.spread, self.size, self.period) = (spread, size, period)
        // Rows of nothing have nothing to do.
        (self.rows, self.run) = (size == 0 ? 0 : rows, max(run, 1))
    }

    /// Scales, and shifts.
    package var parameterCount: Int { period * (size / run) }

    private struct Statistics {
        var mean, inverse: Double
        /// Of `deviation`: one over the deviation, without epsilon; 0 where it is 0.
        var inverseDeviation: Double
    }

    private func statistics(_ x: UnsafePointer<Float>) -> Statistics {
        let count = Double(size)
        func variance() -> (mean: Double, variance: Double) {
            var sum = 0.0
            for index in 0..<size { sum += Double(x[index]) }
            let mean = sum / count
            var squares = 0.0
            for index in 0..<size {
                let difference = Double(x[index]) - mean
                squares += difference * difference
            }
            return (mean, squares / count)
        }
        func sumOfSquares() -> Double {
            var sum = 0.0
            for index in 0..<size { sum += Double(x[index]) * Double(x[index]) }
            return sum
        }
        func inverted(_ x: Double) -> Double { x == 0 ? 0 : 1 / x }
        switch spread {
        case .variance(let epsilon):
            let (mean, variance) = variance()
            return Statistics(
                mean: mean, inverse: 1 / (variance + Double(epsilon)).squareRoot(), inverseDeviation: 0)
        case .deviation(let epsilon):
            let (mean, variance) = variance()
            let deviation = variance.squareRoot()
            return Statistics(
                mean: mean, inverse: 1 / (deviation + Double(epsilon)), inverseDeviation: inverted(deviation))
        case .meanOfSquares(let epsilon):
            let inverse = 1 / (sumOfSquares() / count + Double(epsilon)).squareRoot()
            return Statistics(mean: 0, inverse: inverse, inverseDeviation: 0)
        case .sumOfMagnitudes:
            var sum = 0.0
            for index in 0..<size { sum += Double(x[index].magnitude) }
            return Statistics(mean: 0, inverse: inverted(sum), inverseDeviation: 0)
        case .norm: return Statistics(mean: 0, inverse: inverted(sumOfSquares().squareRoot()), inverseDeviation: 0)
        }
    }

    /// - Parameters:
    ///   - x, y: [rows, size]
    ///   - scale, shift: [parameterCount]; nil for one and zero.
    ///   - means, inverses: [rows], of each row its mean, and one over its spread.
    package func forward(
        _ x: UnsafePointer<Float>, scale: UnsafePointer<Float>?, shift: UnsafePointer<Float>?,
        to y: UnsafeMutablePointer<Float>, means: UnsafeMutablePointer<Float>? = nil,
        inverses: UnsafeMutablePointer<Float>? = nil
    ) {
        for row in 0..<rows {
            let (x, y) = (x + row * size, y + row * size)
            let found = statistics(x)
            means?[row] = Float(found.mean)
            inverses?[row] = Float(found.inverse)
            var parameter = row % period * (size / run)
            var start = 0
            while start < size {
                let factor = scale.map { Double($0[parameter]) } ?? 1
                let offset = shift.map { Double($0[parameter]) } ?? 0
                for index in start..<start + run {
                    y[index] = Float((Double(x[index]) - found.mean) * found.inverse * factor + offset)
                }
                start += run
                parameter += 1
            }
        }
    }

    /// What the gradients of the outputs make those of the inputs.
    package struct Gradients {
        /// Of y [rows, size], of the means and of the inverses [rows]; nil for zero.
        package var y, means, inverses: UnsafePointer<Float>?
        /// Of x [rows, size], of scale and shift [parameterCount]; written.
        package var x, scale, shift: UnsafeMutablePointer<Float>?

        package init(y: UnsafePointer<Float>?, x: UnsafeMutablePointer<Float>?) { (self.y, self.x) = (y, x) }
    }

    /// The gradients of the inputs.
    package func backward(_ x: UnsafePointer<Float>, scale: UnsafePointer<Float>?, _ gradients: Gradients) {
        var scaleSums = [Double](repeating: 0, count: parameterCount)
        var shiftSums = scaleSums
        // Of the normalized row: its gradient, and its elements.
        var (inner, normal) = ([Double](repeating: 0, count: size), [Double](repeating: 0, count: size))
        for row in 0..<rows {
            let x = x + row * size
            let found = statistics(x)
            let first = row % period * (size / run)
            var (sum, product) = (0.0, 0.0)
            for index in 0..<size {
                let gradient = gradients.y.map { Double($0[row * size + index]) } ?? 0
                let parameter = first + index / run
                normal[index] = (Double(x[index]) - found.mean) * found.inverse
                scaleSums[parameter] += gradient * normal[index]
                shiftSums[parameter] += gradient
                inner[index] = gradient * (scale.map { Double($0[parameter]) } ?? 1)
                sum += inner[index]
                product += inner[index] * normal[index]
            }
            guard let target = gradients.x.map({ $0 + row * size }) else { continue }
            let count = Double(size)
            let mean = centers ? sum / count : 0
            let pull: Double =
                switch spread {
                case .variance, .meanOfSquares: product / count * found.inverse
                case .deviation: product / count * found.inverseDeviation
                case .sumOfMagnitudes, .norm: product * found.inverse
                }
            // Of the statistics themselves, where they are outputs.
            let ofMean = gradients.means.map { Double($0[row]) / count } ?? 0
            let ofInverse = gradients.inverses.map { -Double($0[row]) * found.inverse * found.inverse / count } ?? 0
            for index in 0..<size {
                let direction =
                    spread == .sumOfMagnitudes ? (x[index] > 0 ? 1 : x[index] < 0 ? -1 : 0) : normal[index]
                let whole = (inner[index] - mean) * found.inverse - pull * direction
                target[index] = Float(whole + ofMean + ofInverse * normal[index])
            }
        }
        for parameter in 0..<parameterCount {
            gradients.scale?[parameter] = Float(scaleSums[parameter])
            gradients.shift?[parameter] = Float(shiftSums[parameter])
        }
    }

    private var centers: Bool {
        switch spread {
        case .variance, .deviation: true
        case .meanOfSquares, .sumOfMagnitudes, .norm: false
        }
    }
}
