import Tensors

extension RegionBins {
    /// The gradient of the image from that of the bins, in double precision, added in the order of the regions. Regions have
    /// none.
    /// - Parameter gradient: [regions, channels, rows, columns].
    /// - Returns: of the image's elements; nil as `aligned`.
    package func imageGradient(_ image: Tensor, _ regions: Tensor, entries: [Int], gradient: Tensor) -> [Double]? {
        let (channels, height, width) = (image.shape[1], image.shape[2], image.shape[3])
        let elements = image.converted(to: .float64).elements(as: Double.self)
        let sides = regions.converted(to: .float64).elements(as: Double.self)
        let slopes = gradient.converted(to: .float64).elements(as: Double.self)
        var result = [Double](repeating: 0, count: elements.count)
        for (region, entry) in entries.enumerated() {
            guard let grid = sampling(Array(sides[4 * region..<4 * region + 4])) else { return nil }
            let corners = corners(of: grid, height: height, width: width)
            for channel in 0..<channels {
                let base = (entry * channels + channel) * height * width
                for bin in 0..<rows * columns {
                    let slope = slopes[(region * channels + channel) * rows * columns + bin]
                    let parts = corners[bin * grid.count..<(bin + 1) * grid.count].flatMap { sample in
                        [
                            (sample.places.0, sample.weights.0), (sample.places.1, sample.weights.1),
                            (sample.places.2, sample.weights.2), (sample.places.3, sample.weights.3),
                        ]
                    }
                    if takesMaximum {
                        let best = parts.indices.reduce(0) { best, part in
                            parts[part].1 * elements[base + parts[part].0]
                                > parts[best].1 * elements[base + parts[best].0] ? part : best
                        }
                        if !parts.isEmpty { result[base + parts[best].0] += parts[best].1 * slope }
                    } else {
                        for (place, weight) in parts { result[base + place] += weight * slope / Double(grid.divisor) }
                    }
                }
            }
        }
        return result
    }
}
