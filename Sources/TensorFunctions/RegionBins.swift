import Tensors

/// The bins that a region of an image is cut into, and how each becomes one value.
package struct RegionBins: Sendable, Equatable {
    /// Bins along an axis, and samples along an axis of a bin, may not be more.
    package static let limit = 1 << 12

    package let rows, columns: Int
    private let samples: Int
    private let scale: Float
    let isShiftedByHalf, takesMaximum: Bool

    /// - Parameters:
    ///   - samples: along each axis of a bin; 0 for about one an element.
    ///   - scale: from a region's coordinates to elements of the image.
    ///   - isShiftedByHalf: coordinates are such that the center of the first element is at 1/2; else at 0, and regions
    ///     are at least one element wide.
    package init(rows: Int, columns: Int, samples: Int, scale: Float, isShiftedByHalf: Bool, takesMaximum: Bool) {
        (self.rows, self.columns, self.samples, self.scale) = (rows, columns, samples, scale)
        (self.isShiftedByHalf, self.takesMaximum) = (isShiftedByHalf, takesMaximum)
    }

    // MARK: Sampled between elements

    /// The mean, or the greatest weighted element, of samples of each bin, which are made of the four elements around
    /// them.
    /// - Parameters:
    ///   - image: [batch, channels, height, width].
    ///   - regions: [regions, 4] of left, top, right, bottom, of the image's type.
    ///   - entries: of the batch, of each region.
    /// - Returns: [regions, channels, rows, columns]; nil where a region is not finite or has too many samples.
    package func aligned(_ image: Tensor, _ regions: Tensor, entries: [Int]) -> Tensor? {
        if image.elementType == .float32 { return aligned(image, regions, entries, Float.self) }
        return aligned(image.converted(to: .float64), regions.converted(to: .float64), entries, Double.self)?
            .converted(to: image.elementType)
    }

    private func aligned<Number: BinaryFloatingPoint & TensorElement>(
        _ image: Tensor, _ regions: Tensor, _ entries: [Int], _: Number.Type
    ) -> Tensor? {
        let (channels, height, width) = (image.shape[1], image.shape[2], image.shape[3])
        let sides = regions.elements(as: Number.self)
        let grids = entries.indices.map { sampling(Array(sides[4 * $0..<4 * $0 + 4])) }
        let known = grids.compactMap(\.self)
        guard known.count == grids.count else { return nil }
        let (bins, plane) = (rows * columns, height * width)
        return image.withUnsafeElements(as: Number.self) { source in
            Tensor(shape: [entries.count, channels, rows, columns]) { (target: UnsafeMutableBufferPointer<Number>) in
                for (region, grid) in known.enumerated() {
                    let corners = corners(of: grid, height: height, width: width)
                    for channel in 0..<channels {
                        let base = (entries[region] * channels + channel) * plane
                        for bin in 0..<bins {
                            target[(region * channels + channel) * bins + bin] = value(
                                source, base, corners[bin * grid.count..<(bin + 1) * grid.count],
                                divisor: Number(grid.divisor))
                        }
                    }
                }
            }
        }
    }

    private func value<Number: BinaryFloatingPoint>(
        _ source: UnsafeBufferPointer<Number>, _ base: Int, _ samples: ArraySlice<Corners<Number>>, divisor: Number
    ) -> Number {
        var (sum, largest): (Number, Number?) = (0, nil)
        for sample in samples {
            let (a, b) = (
                sample.weights.0 * source[base + sample.places.0], sample.weights.1 * source[base + sample.places.1]
            )
            let (c, d) = (
                sample.weights.2 * source[base + sample.places.2], sample.weights.3 * source[base + sample.places.3]
            )
            if takesMaximum {
                let value = max(max(a, b), max(c, d))
                largest = largest.map { max($0, value) } ?? value
            } else {
                sum += a + b + c + d
            }
        }
        return takesMaximum ? largest ?? 0 : sum / divisor
    }

    /// A region's first corner, the extents of a bin, and its samples down and across.
    struct Sampling<Number: BinaryFloatingPoint> {
        var top, left, height, width: Number
        var down, across: Int
        /// Samples of a bin.
        var count: Int { max(down, 0) * max(across, 0) }
        /// What a sum is divided by; a region that is empty in one direction has no samples, but is zero.
        var divisor: Int { max(down * across, 1) }
    }

    func sampling<Number: BinaryFloatingPoint>(_ sides: [Number]) -> Sampling<Number>? {
        let offset: Number = isShiftedByHalf ? 0.5 : 0
        let places = sides.map { $0 * Number(scale) - offset }
        var (width, height) = (places[2] - places[0], places[3] - places[1])
        if !isShiftedByHalf { (width, height) = (max(width, 1), max(height, 1)) }
        let (binHeight, binWidth) = (height / Number(rows), width / Number(columns))
        let bound = Number(Self.limit)
        guard places.allSatisfy(\.isFinite), binHeight.magnitude <= bound, binWidth.magnitude <= bound else {
            return nil
        }
        let sampling = Sampling(
            top: places[1], left: places[0], height: binHeight, width: binWidth,
            down: samples > 0 ? samples : Int(binHeight.rounded(.up)),
            across: samples > 0 ? samples : Int(binWidth.rounded(.up)))
        return sampling.count * rows * columns <= 1 << 20 ? sampling : nil
    }

    /// The four elements around a sample, and their weights.
    struct Corners<Number> {
        var places: (Int, Int, Int, Int)
        var weights: (Number, Number, Number, Number)
    }

    /// Of all samples, bin after bin.
    func corners<Number: BinaryFloatingPoint>(
        of grid: Sampling<Number>, height: Int, width: Int
    ) -> [Corners<Number>] {
        var corners: [Corners<Number>] = []
        corners.reserveCapacity(rows * columns * grid.count)
        for bin in 0..<rows * columns {
            let (row, column) = (Number(bin / columns), Number(bin % columns))
            for down in 0..<max(grid.down, 0) {
                let y =
                    grid.top + row * grid.height + (Number(down) + 0.5) * grid.height / Number(grid.down)
                for across in 0..<max(grid.across, 0) {
                    let x =
                        grid.left + column * grid.width
                        + (Number(across) + 0.5) * grid.width / Number(grid.across)
                    guard y >= -1, y <= Number(height), x >= -1, x <= Number(width), height * width > 0 else {
                        corners.append(Corners(places: (0, 0, 0, 0), weights: (0, 0, 0, 0)))
                        continue
                    }
                    let (up, under, v) = Self.neighbours(y, extent: height)
                    let (left, right, u) = Self.neighbours(x, extent: width)
                    corners.append(
                        Corners(
                            places: (
                                up * width + left, up * width + right, under * width + left, under * width + right
                            ), weights: ((1 - v) * (1 - u), (1 - v) * u, v * (1 - u), v * u)))
                }
            }
        }
        return corners
    }

    /// The elements before and behind a place, and how far it is from the first towards the second.
    private static func neighbours<Number: BinaryFloatingPoint>(
        _ place: Number, extent: Int
    ) -> (first: Int, second: Int, part: Number) {
        let place = max(place, 0)
        let first = Int(place)
        return first >= extent - 1 ? (extent - 1, extent - 1, 0) : (first, first + 1, place - Number(first))
    }

    // MARK: Of whole elements

    /// The greatest of the elements that each bin touches, as its number in the image; -1 where a bin is outside.
    /// - Parameters:
    ///   - image: [batch, channels, height, width].
    ///   - regions: [regions, 5] of batch entry, left, top, right, bottom, of the image's type.
    /// - Returns: [regions, channels, rows, columns]; nil where a region is of no image.
    package func maxima(_ image: Tensor, _ regions: Tensor) -> [Int]? {
        let (channels, height, width) = (image.shape[1], image.shape[2], image.shape[3])
        let (elements, sides) = (image.floats, regions.floats)
        var results: [Int] = []
        results.reserveCapacity(regions.shape[0] * channels * rows * columns)
        for region in 0..<regions.shape[0] {
            let own = Array(sides[5 * region..<5 * region + 5])
            let places = own.dropFirst().map { ($0 * scale).rounded() }
            guard own[0] >= 0, own[0] < Float(image.shape[0]), places.allSatisfy({ $0.magnitude < 0x1p30 }) else {
                return nil
            }
            let corners = places.map { Int($0) }
            let down = Self.bins(rows, from: corners[1], to: corners[3], extent: height)
            let across = Self.bins(columns, from: corners[0], to: corners[2], extent: width)
            for channel in 0..<channels {
                let base = (Int(own[0]) * channels + channel) * height * width
                for ys in down {
                    for xs in across {
                        var best = -1
                        for y in ys {
                            for x in xs {
                                let place = base + y * width + x
                                if best < 0 || elements[place] > elements[best] { best = place }
                            }
                        }
                        results.append(best)
                    }
                }
            }
        }
        return results
    }

    /// Which elements along an axis each bin of a region touches.
    private static func bins(_ count: Int, from start: Int, to end: Int, extent: Int) -> [Range<Int>] {
        let size = Float(max(end - start + 1, 1)) / Float(count)
        return (0..<count).map { bin in
            let first = min(max(Int((Float(bin) * size).rounded(.down)) + start, 0), extent)
            let last = min(max(Int((Float(bin + 1) * size).rounded(.up)) + start, 0), extent)
            return first..<max(first, last)
        }
    }
}
