import Tensors

extension GridSampler {
    /// What elements along an axis a value is made of, with their weights and how these change with the coordinate.
    private typealias Entry = (index: Int, weight: Double, slope: Double)

    /// The gradients of what is sampled and of the places, from that of the samples; in double precision, added in the
    /// order of the samples.
    /// - Parameters:
    ///   - input: [batch, channels, extents...].
    ///   - grid: [batch, places..., axes].
    ///   - gradient: [batch, channels, places...].
    package func gradients(input: Tensor, grid: Tensor, gradient: Tensor) -> (input: [Double], grid: [Double]) {
        let extents = Array(input.shape.dimensions.dropFirst(2))
        let (channels, axes) = (input.shape[1], extents.count)
        let (plane, places) = (extents.reduce(1, *), gradient.shape.dimensions.dropFirst(2).reduce(1, *))
        let elements = input.converted(to: .float64).elements(as: Double.self)
        let coordinates = grid.converted(to: .float64).elements(as: Double.self)
        let slopes = gradient.converted(to: .float64).elements(as: Double.self)
        var results = (
            input: [Double](repeating: 0, count: elements.count), grid: [Double](repeating: 0, count: coordinates.count)
        )
        for row in 0..<input.shape[0] * places {
            let (sample, place) = (row / max(places, 1), row % max(places, 1))
            // For each element that the value is made of, its weight, and how this changes along each axis.
            var taps: [(index: Int, weight: Double, partials: [Double])] = [(0, 1, [])]
            for axis in 0..<axes {
                let entries = entries(at: coordinates[row * axes + axes - 1 - axis], extent: extents[axis])
                taps = taps.flatMap { tap in
                    entries.filter { $0.index >= 0 }.map { entry in
                        (
                            tap.index * extents[axis] + entry.index, tap.weight * entry.weight,
                            tap.partials.map { $0 * entry.weight } + [tap.weight * entry.slope]
                        )
                    }
                }
            }
            for channel in sample * channels..<(sample + 1) * channels {
                let slope = slopes[channel * places + place]
                for tap in taps {
                    results.input[channel * plane + tap.index] += tap.weight * slope
                    for axis in 0..<axes {
                        results.grid[row * axes + axes - 1 - axis] +=
                            tap.partials[axis] * elements[channel * plane + tap.index] * slope
                    }
                }
            }
        }
        return results
    }

    private func entries(at coordinate: Double, extent: Int) -> [Entry] {
        let (x, slope) = placeWithSlope(coordinate, extent: extent)
        guard x.magnitude < 0x1p31 else { return padding == .zeros ? [] : [(x > 0 ? extent - 1 : 0, 1, 0)] }
        let first = x.rounded(.down)
        let (index, t) = (Int(first), x - first)
        func entry(_ offset: Int, _ weight: Double, _ change: Double) -> Entry {
            (inside(index + offset, extent), weight, change * slope)
        }
        switch kernel {
        case .nearest: return [entry(0, 1, 0)]
        case .linear: return [entry(0, 1 - t, -1), entry(1, t, 1)]
        case .cubic:
            let a = -0.75
            func near(_ x: Double) -> (Double, Double) {
                (((a + 2) * x - (a + 3)) * x * x + 1, (3 * (a + 2) * x - 2 * (a + 3)) * x)
            }
            func far(_ x: Double) -> (Double, Double) {
                (((a * x - 5 * a) * x + 8 * a) * x - 4 * a, (3 * a * x - 10 * a) * x + 8 * a)
            }
            let weights = [far(t + 1), near(t), near(1 - t), far(2 - t)]
            return (0..<4).map { entry($0 - 1, weights[$0].0, $0 < 2 ? weights[$0].1 : -weights[$0].1) }
        }
    }

    /// Where a coordinate of -1...1 is, in elements, and how that changes with the coordinate.
    private func placeWithSlope(_ coordinate: Double, extent: Int) -> (place: Double, slope: Double) {
        let size = Double(extent)
        let straight = alignsCorners ? (coordinate + 1) / 2 * (size - 1) : ((coordinate + 1) * size - 1) / 2
        let scale = alignsCorners ? (size - 1) / 2 : size / 2
        let low = alignsCorners ? 0 : -0.5
        let moved = place(coordinate, extent: extent)
        guard straight < low || straight > size - 1 - low else { return (moved, scale) }
        switch padding {
        case .zeros: return (moved, scale)
        case .border: return (moved, kernel == .cubic ? scale : 0)
        case .reflection:
            let span = size - 1 - 2 * low
            guard span > 0, straight.isFinite else { return (moved, 0) }
            let images = ((straight - low) / span).rounded(.down)
            return (moved, images.truncatingRemainder(dividingBy: 2) == 0 ? scale : -scale)
        }
    }
}
