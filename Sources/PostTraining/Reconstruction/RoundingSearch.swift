import Quantization
import Support

/// Rounds the weights of a layer so that its outputs change least, in place of each to its nearest grid point: what AdaRound
/// minimizes (Nagel et al., "Up or Down? Adaptive Rounding for Post-Training Quantization", 2020), the squared error of the
/// layer's outputs with inputs from the quantized model.
///
/// The reference descends on minibatches with a relaxation of "up or down" and a regularizer that ends it. Here the error is known
/// as a quadratic form (see `InputMoments`), over all samples at once, and the search is over grid points itself: from the nearest
/// points and from those of the nearest plane algorithm (each weight in turn is rounded after the errors of those before it were
/// passed on to it), single weights move to better points until none does. The better of the two ends wins.
///
/// The form is damped with 1/100 of its mean diagonal towards the weights themselves, so that inputs that hardly vary leave weights
/// where they are.
public struct RoundingSearch: Sendable {
    private static let damping = 0.01
    private static let sweeps = 40

    private let inputs: Int
    /// [K][K]
    private let form: [Double]
    /// Of form = L L', as L: [K][K], below the diagonal.
    private let factor: [Double]
    /// What `form` was damped with.
    private let damped: Double

    /// - Parameters:
    ///   - moments: of the layer.
    ///   - group: of which the outputs are.
    ///   - freesBias: whether the bias will take up the mean error.
    public init(_ moments: InputMoments, group: Int, freesBias: Bool) {
        let inputs = moments.inputs
        var form = moments.second[group]
        let means = moments.means[group]
        if freesBias {
            for row in 0..<inputs {
                for column in 0..<inputs { form[row * inputs + column] -= means[row] * means[column] }
            }
        }
        let diagonal = (0..<inputs).reduce(0.0) { $0 + max(form[$1 * inputs + $1], 0) } / Double(inputs)
        damped = max(diagonal, .leastNormalMagnitude) * Self.damping
        for input in 0..<inputs { form[input * inputs + input] += damped }
        self.inputs = inputs
        self.form = form
        factor = Self.cholesky(form, inputs)
    }

    /// Weights of one output on their grid.
    /// - Parameters:
    ///   - weights: [K]
    ///   - products: E(x y) of the output, [K]; centered where the bias is free.
    public func rounded(_ weights: [Float], to grid: Encoding, products: [Double]) -> [Float] {
        let grid = Grid(grid)
        let own = weights.map { Double($0) }
        // Damping is a pull to the weights.
        let products = zip(products, own).map { $0 + damped * $1 }
        let starts = [own.map(grid.nearest), nearestPlane(solution(products), grid)]
        let ends = starts.map { descended(from: $0, grid, products) }
        let best = ends[1].loss < ends[0].loss ? ends[1] : ends[0]
        return best.weights.map { Float($0) }
    }

    /// The grid points of an encoding.
    private struct Grid {
        let delta, least, greatest: Double

        init(_ encoding: Encoding) {
            delta = encoding.delta
            least = Double(encoding.offset)
            greatest = Double(encoding.offset + encoding.steps)
        }

        func nearest(_ value: Double) -> Double {
            min(max((value / delta).rounded(.toNearestOrEven), least), greatest) * delta
        }
    }

    /// Moves single weights to the points of least error as long as that lowers it.
    private func descended(
        from start: [Double], _ grid: Grid, _ products: [Double]
    ) -> (weights: [Double], loss: Double) {
        var weights = start
        // Half the gradient: form * weights - products.
        var slope = products.map { -$0 }
        form.withUnsafeBufferPointer { form in
            slope.withUnsafeMutableBufferPointer { slope in
                for input in 0..<inputs where weights[input] != 0 { add(weights[input], form, input, to: slope) }
                for _ in 0..<Self.sweeps {
                    var moved = false
                    for input in 0..<inputs {
                        let curvature = form[input * inputs + input]
                        let point = grid.nearest(weights[input] - slope[input] / curvature)
                        let step = point - weights[input]
                        guard step != 0, step * (slope[input] + step * curvature / 2) < 0 else { continue }
                        weights[input] = point
                        add(step, form, input, to: slope)
                        moved = true
                    }
                    guard moved else { break }
                }
            }
        }
        // w form w' - 2 w products = w (slope - products).
        let loss = weights.indices.reduce(0.0) { $0 + weights[$1] * (slope[$1] - products[$1]) }
        return (weights, loss)
    }

    /// Rounds one weight after the other, the last first, each to what is best given those before it if the rest were free.
    private func nearestPlane(_ wanted: [Double], _ grid: Grid) -> [Double] {
        var weights = wanted
        // What the errors of rounded weights ask of the others, times the diagonal of the factor.
        var asked = [Double](repeating: 0, count: inputs)
        factor.withUnsafeBufferPointer { factor in
            asked.withUnsafeMutableBufferPointer { asked in
                for input in (0..<inputs).reversed() {
                    let own = factor[input * inputs + input]
                    weights[input] = grid.nearest(wanted[input] - asked[input] / own)
                    let error = weights[input] - wanted[input]
                    for before in 0..<input { asked[before] += error * factor[input * inputs + before] }
                }
            }
        }
        return weights
    }

    /// slope += amount * row of the form, which is symmetric.
    private func add(
        _ amount: Double, _ form: UnsafeBufferPointer<Double>, _ row: Int, to slope: UnsafeMutableBufferPointer<Double>
    ) {
        let start = row * inputs
        for column in 0..<inputs { slope[column] += amount * form[start + column] }
    }

    /// The weights of least error without a grid.
    private func solution(_ products: [Double]) -> [Double] {
        var result = products
        factor.withUnsafeBufferPointer { factor in
            for row in 0..<inputs {
                for column in 0..<row { result[row] -= factor[row * inputs + column] * result[column] }
                result[row] /= factor[row * inputs + row]
            }
            for row in (0..<inputs).reversed() {
                result[row] /= factor[row * inputs + row]
                let value = result[row]
                for column in 0..<row { result[column] -= factor[row * inputs + column] * value }
            }
        }
        return result
    }

    /// The lower factor of a positive definite form.
    private static func cholesky(_ form: [Double], _ count: Int) -> [Double] {
        var factor = form
        factor.withUnsafeMutableBufferPointer { factor in
            for pivot in 0..<count {
                // Rounding may take what damping left.
                let root = max(factor[pivot * count + pivot], .leastNormalMagnitude).squareRoot()
                factor[pivot * count + pivot] = root
                for row in pivot + 1..<max(count, pivot + 1) { factor[row * count + pivot] /= root }
                // By symmetry the row of the pivot is its column: kept there so that the update runs along rows.
                for row in pivot + 1..<max(count, pivot + 1) {
                    factor[pivot * count + row] = factor[row * count + pivot]
                }
                for row in pivot + 1..<max(count, pivot + 1) {
                    let amount = factor[row * count + pivot]
                    guard amount != 0 else { continue }
                    for column in pivot + 1...row {
                        factor[row * count + column] -= amount * factor[pivot * count + column]
                    }
                }
            }
        }
        return factor
    }
}
