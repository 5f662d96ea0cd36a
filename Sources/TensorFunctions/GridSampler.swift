import Tensors

/// How a value is found at a place between the elements of a grid, and what lies beyond its edges.
package struct GridSampler: Sendable, Equatable {
    /// What weights neighbours: the nearest one alone, two, or four by Keys's kernel with a = -3/4.
    package enum Kernel: Sendable { case nearest, linear, cubic }

    /// What is beyond the edges: zeros, the element at the edge, or the grid's mirror image.
    package enum Padding: String, Sendable { case zeros, border, reflection }

    let kernel: Kernel
    let padding: Padding
    let alignsCorners: Bool

    /// - Parameter alignsCorners: places -1 and 1 are the centers of the outermost elements, not their outer edges.
    package init(_ kernel: Kernel, padding: Padding, alignsCorners: Bool) {
        (self.kernel, self.padding, self.alignsCorners) = (kernel, padding, alignsCorners)
    }

    /// Samples each channel of `input` at the places of its batch entry.
    /// - Parameters:
    ///   - input: [batch, channels, extents...].
    ///   - grid: [batch, places..., axes], in -1...1 along each axis, the last axis of the input first.
    ///   - shape: of the result, [batch, channels, places...].
    package func sample(_ input: Tensor, at grid: Tensor, shape: Shape) -> Tensor {
        // Single precision is computed in as such: a place halfway between two elements is to be nearest to the one
        // that training took.
        if input.elementType == .float32, grid.elementType == .float32 {
            return sample(input, grid, shape, Float.self)
        }
        return sample(input.converted(to: .float64), grid.converted(to: .float64), shape, Double.self)
            .converted(to: input.elementType)
    }

    private func sample<Number: BinaryFloatingPoint & TensorElement>(
        _ input: Tensor, _ grid: Tensor, _ shape: Shape, _: Number.Type
    ) -> Tensor {
        let extents = Array(input.shape.dimensions.dropFirst(2))
        let (batch, channels, axes) = (shape[0], shape[1], extents.count)
        let (plane, places) = (extents.reduce(1, *), shape.dimensions.dropFirst(2).reduce(1, *))
        var taps = GridTaps<Number>(places: min(places, 256), axes: extents.map { _ in width })
        return input.withUnsafeElements(as: Number.self) { source in
            grid.withUnsafeElements(as: Number.self) { grid in
                Tensor(shape: shape) { (target: UnsafeMutableBufferPointer<Number>) in
                    for sample in 0..<batch {
                        for start in stride(from: 0, to: places, by: 256) {
                            let count = min(256, places - start)
                            for place in 0..<count {
                                let row = (sample * places + start + place) * axes
                                taps.set(place, extents) { axis, entries in
                                    write(grid[row + axes - 1 - axis], extent: extents[axis], to: &entries)
                                }
                            }
                            for channel in sample * channels..<(sample + 1) * channels {
                                taps.sum(
                                    UnsafeBufferPointer(rebasing: source[channel * plane..<(channel + 1) * plane]),
                                    into: UnsafeMutableBufferPointer(
                                        rebasing: target[channel * places + start..<channel * places + start + count]))
                            }
                        }
                    }
                }
            }
        }
    }

    /// Elements along an axis that a value is made of.
    private var width: Int {
        switch kernel {
        case .nearest: 1
        case .linear: 2
        case .cubic: 4
        }
    }

    /// The elements along one axis that a value at `coordinate` is made of, and their weights; -1 for a zero beyond the
    /// edge.
    private func write<Number: BinaryFloatingPoint>(
        _ coordinate: Number, extent: Int, to entries: inout [(index: Int, weight: Number)]
    ) {
        let x = place(coordinate, extent: extent)
        guard x.magnitude < 0x1p31 else {
            // No number, or so far away that only what is beyond the edge is seen.
            let edge = x > 0 ? extent - 1 : 0
            for tap in entries.indices { entries[tap] = (padding == .zeros ? -1 : edge, tap == 0 ? 1 : 0) }
            return
        }
        let first = x.rounded(.down)
        let (index, t) = (Int(first), x - first)
        switch kernel {
        case .nearest: entries[0] = (inside(index, extent), 1)
        case .linear:
            entries[0] = (inside(index, extent), 1 - t)
            entries[1] = (inside(index + 1, extent), t)
        case .cubic:
            let a: Number = -0.75
            func near(_ x: Number) -> Number { ((a + 2) * x - (a + 3)) * x * x + 1 }
            func far(_ x: Number) -> Number { ((a * x - 5 * a) * x + 8 * a) * x - 4 * a }
            entries[0] = (inside(index - 1, extent), far(t + 1))
            entries[1] = (inside(index, extent), near(t))
            entries[2] = (inside(index + 1, extent), near(1 - t))
            entries[3] = (inside(index + 2, extent), far(2 - t))
        }
    }

    /// A coordinate of -1...1 in elements; one beyond the edge comes back into the grid where the padding says so.
    func place<Number: BinaryFloatingPoint>(_ coordinate: Number, extent: Int) -> Number {
        let size = Number(extent)
        var x = alignsCorners ? (coordinate + 1) / 2 * (size - 1) : ((coordinate + 1) * size - 1) / 2
        if kernel == .nearest { x = x.rounded(.toNearestOrEven) }
        let low: Number = alignsCorners ? 0 : -0.5
        guard x < low || x > size - 1 - low else { return x }
        return switch padding {
        case .zeros: x
        // The neighbours of a cubic sample are moved to the edge one by one: it still bends there.
        case .border: kernel == .cubic ? x : min(max(x, 0), size - 1)
        case .reflection: reflected(x, extent: extent)
        }
    }

    /// What `x` is in the mirror images of a grid, which are reflected at its outermost centers or edges.
    private func reflected<Number: BinaryFloatingPoint>(_ x: Number, extent: Int) -> Number {
        let low: Number = alignsCorners ? 0 : -0.5
        let high = Number(extent) - 1 - low
        let distance = x < low ? low - x : x - high
        guard x < low || x > high else { return x }
        guard high > low, distance.isFinite else { return low }
        let images = (distance / (high - low)).rounded(.towardZero)
        let rest = distance - images * (high - low)
        let isFromLow = (images.truncatingRemainder(dividingBy: 2) == 0) == (x < low)
        return isFromLow ? low + rest : high - rest
    }

    /// The element that stands for one that may be beyond the edge; -1 for a zero.
    func inside(_ index: Int, _ extent: Int) -> Int {
        if 0..<extent ~= index { return index }
        switch padding {
        case .zeros: return -1
        case .border: return min(max(index, 0), extent - 1)
        case .reflection: return min(max(Int(reflected(Double(index), extent: extent)), 0), extent - 1)
        }
    }
}

/// What some places of a grid are made of: for each the same number of elements and their weights, the product of those
/// along its axes.
struct GridTaps<Number: BinaryFloatingPoint & TensorElement> {
    private var indices: [Int]
    private var weights: [Number]
    private var entries: [[(index: Int, weight: Number)]]
    private let count: Int

    /// - Parameter axes: how many elements along each axis a place is made of.
    init(places: Int, axes: [Int]) {
        count = axes.reduce(1, *)
        indices = [Int](repeating: 0, count: places * count)
        weights = [Number](repeating: 0, count: places * count)
        entries = axes.map { [(index: Int, weight: Number)](repeating: (0, 0), count: $0) }
    }

    /// - Parameters:
    ///   - extents: of the grid.
    ///   - write: gives the elements along an axis; a negative one is zero.
    mutating func set(
        _ place: Int, _ extents: [Int], _ write: (Int, inout [(index: Int, weight: Number)]) -> Void
    ) {
        let start = place * count
        (indices[start], weights[start]) = (0, 1)
        var known = 1
        for axis in extents.indices {
            write(axis, &entries[axis])
            let width = entries[axis].count
            // From the back, so that none is overwritten before it is read.
            for tap in stride(from: start + known - 1, through: start, by: -1) {
                let (index, weight) = (indices[tap], weights[tap])
                for (number, entry) in entries[axis].enumerated() {
                    let target = start + (tap - start) * width + number
                    indices[target] = index < 0 || entry.index < 0 ? -1 : index * extents[axis] + entry.index
                    weights[target] = weight * entry.weight
                }
            }
            known *= width
        }
    }

    /// The values at the first `target.count` places.
    /// - Parameter source: one channel of the grid.
    func sum(_ source: UnsafeBufferPointer<Number>, into target: UnsafeMutableBufferPointer<Number>) {
        indices.withUnsafeBufferPointer { indices in
            weights.withUnsafeBufferPointer { weights in
                for place in target.indices {
                    var sum: Number = 0
                    for tap in place * count..<(place + 1) * count where indices[tap] >= 0 {
                        sum += weights[tap] * source[indices[tap]]
                    }
                    target[place] = sum
                }
            }
        }
    }
}
