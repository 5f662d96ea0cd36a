import Tensors

/// What a stretch of a signal is weighted with: a0 - a1 cos(2 pi n / N) + a2 cos(4 pi n / N); a window of one is 1.
/// - Parameters:
///   - coefficients: a0, a1, a2.
///   - isPeriodic: N is the size, so that the window goes on as it begins; else one less, so that it ends as it begins.
package func cosineWindow(_ coefficients: (Double, Double, Double), size: Int, isPeriodic: Bool) -> [Double] {
    let period = isPeriodic ? size : size - 1
    guard period > 0, size > 1 else { return [Double](repeating: 1, count: size) }
    return (0..<size).map { index in
        let angle = 2 * Double.pi * Double(index) / Double(period)
        return coefficients.0 - coefficients.1 * cosine(angle) + coefficients.2 * cosine(2 * angle)
    }
}

/// Bands of the mel scale as triangles over the bins of a spectrum, which overlap: each rises from the center of the one
/// before it to its own, and falls to that of the next.
package struct MelBands: Sendable {
    package var bands: Int
    /// Of the transform whose first half the spectrum is.
    package var length: Int
    /// Samples in a second.
    package var rate: Int
    /// In hertz.
    package var lower, upper: Double

    package init(bands: Int, length: Int, rate: Int, lower: Double, upper: Double) {
        (self.bands, self.length, self.rate, self.lower, self.upper) = (bands, length, rate, lower, upper)
    }

    /// Of the spectrum.
    package var bins: Int { length / 2 + 1 }

    /// [bins, bands], row-major; nil where a band ends behind the spectrum.
    package var weights: [Double]? {
        func mel(_ hertz: Double) -> Double { 2595 * logarithmOfOnePlus(hertz / 700) / logarithm(10) }
        let (low, high) = (mel(lower), mel(upper))
        let step = (high - low) / Double(bands + 2)
        let places = (0..<bands + 2).map { index in
            let hertz = 700 * (exponential((low + Double(index) * step) / 2595 * logarithm(10)) - 1)
            return (Double(length + 1) * hertz / Double(rate)).rounded(.down)
        }
        guard places.allSatisfy({ $0 < Double(bins) }) else { return nil }
        let edges = places.map { Int($0) }
        var matrix = [Double](repeating: 0, count: bins * bands)
        for band in 0..<bands {
            let (left, center, right) = (edges[band], edges[band + 1], edges[band + 2])
            if left == center { matrix[center * bands + band] = 1 }
            for bin in left..<max(center + 1, left) where left < center {
                matrix[bin * bands + band] = Double(bin - left) / Double(center - left)
            }
            for bin in center..<max(right, center) {
                matrix[bin * bands + band] = Double(right - bin) / Double(right - center)
            }
        }
        return matrix
    }
}
