import Tensors

/// How an axis is resampled: for each output index the input indices that it is made of, with their weights.
package struct AxisResampling {
    /// The kernel that weights neighbours.
    package enum Kernel: Sendable, Equatable {
        case nearest(Rounding)
        case linear
        case cubic(coefficient: Float)
    }

    /// Which neighbour a place between two is at.
    package enum Rounding: String, Sendable {
        case preferFloor = "round_prefer_floor"
        case preferCeiling = "round_prefer_ceil"
        case floor
        case ceiling = "ceil"
    }

    /// By output index; without entries where the output is the fill value.
    package private(set) var taps: [[(index: Int, weight: Double)]] = []

    /// - Parameters:
    ///   - input: extent.
    ///   - places: where each output index lies in the input, in input indices.
    ///   - scale: output over input; below 1 a kernel is widened where `antialiases`.
    ///   - excludesOutside: whether neighbours beyond the edge have no weight; else the edge is repeated.
    ///   - extrapolates: whether places beyond the input have the fill value.
    package init(
        input: Int, places: [Double], scale: Double, kernel: Kernel, antialiases: Bool, excludesOutside: Bool,
        extrapolates: Bool
    ) {
        for place in places {
            if extrapolates, place < 0 || place > Double(input - 1) {
                taps.append([])
                continue
            }
            if case .nearest(let rounding) = kernel {
                taps.append([(min(max(Self.nearest(place, rounding), 0), input - 1), 1)])
                continue
            }
            let stretch = antialiases ? min(scale, 1) : 1
            let radius = (kernel == .linear ? 1 : 2) / stretch
            var entries: [(index: Int, weight: Double)] = []
            let (first, last) = (Int((place - radius).rounded(.up)), Int((place + radius).rounded(.down)))
            for index in first...max(first, last) {
                let weight = Self.weight((Double(index) - place) * stretch, kernel)
                let isInside = 0..<input ~= index
                if weight == 0 || excludesOutside && !isInside { continue }
                entries.append((min(max(index, 0), input - 1), weight))
            }
            let sum = entries.reduce(0) { $0 + $1.weight }
            if antialiases || excludesOutside, sum != 0 { entries = entries.map { ($0.index, $0.weight / sum) } }
            taps.append(entries)
        }
    }

    private static func nearest(_ place: Double, _ rounding: Rounding) -> Int {
        let half = place - place.rounded(.down) == 0.5
        return switch rounding {
        case .preferFloor: Int(half ? place.rounded(.down) : place.rounded())
        case .preferCeiling: Int(half ? place.rounded(.up) : place.rounded())
        case .floor: Int(place.rounded(.down))
        case .ceiling: Int(place.rounded(.up))
        }
    }

    /// The cubic kernel is Keys's, with his coefficient a.
    private static func weight(_ distance: Double, _ kernel: Kernel) -> Double {
        let x = distance.magnitude
        guard case .cubic(let coefficient) = kernel else { return max(0, 1 - x) }
        let a = Double(coefficient)
        if x <= 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
        return x < 2 ? ((a * x - 5 * a) * x + 8 * a) * x - 4 * a : 0
    }
}

extension Tensor {
    /// This tensor of float64 resampled along one axis after the other.
    /// - Parameters:
    ///   - axes: those that are resampled.
    ///   - fill: of outputs whose places lie outside.
    package func resampled(_ axes: [(axis: Int, resampling: AxisResampling)], fill: Double) -> Tensor {
        var current = self
        var outside = [Bool](repeating: false, count: count)
        for (axis, resampling) in axes {
            let source = current.elements(as: Double.self)
            var extents = current.shape.dimensions
            extents[axis] = resampling.taps.count
            let (from, to) = (AxisRows(current.shape, axis: axis), AxisRows(Shape(extents), axis: axis))
            var target = [Double](repeating: 0, count: Shape(extents).count)
            var isOutside = [Bool](repeating: false, count: target.count)
            for row in 0..<to.count {
                for (index, taps) in resampling.taps.enumerated() {
                    let place = to.place(row: row, index)
                    isOutside[place] = taps.isEmpty || taps.contains { outside[from.place(row: row, $0.index)] }
                    target[place] = taps.reduce(0) { $0 + source[from.place(row: row, $1.index)] * $1.weight }
                }
            }
            (current, outside) = (Tensor(shape: Shape(extents), target), isOutside)
        }
        guard outside.contains(true) else { return current }
        let filled = zip(current.elements(as: Double.self), outside).map { $1 ? fill : $0 }
        return Tensor(shape: current.shape, filled)
    }
}
