/// An axis of row-major float32 resampled, and the gradient of that: each output is weighted inputs, so each input's gradient is
/// the same weights' sum of gradients of outputs.
package struct ResamplingPass: Sendable {
    /// Extents before and behind the axis.
    let outer, inner: Int
    /// Of the axis.
    package let input, output: Int
    /// Of output `i`, the entries from `starts[i]` to `starts[i + 1]`.
    private let starts: [Int]
    private let places: [Int]
    private let weights: [Float]

    package init(_ resampling: AxisResampling, outer: Int, input: Int, inner: Int) {
        (self.outer, self.input, self.inner) = (outer, input, inner)
        output = resampling.taps.count
        var starts = [0]
        for taps in resampling.taps { starts.append((starts.last ?? 0) + taps.count) }
        self.starts = starts
        places = resampling.taps.flatMap { $0.map(\.index) }
        weights = resampling.taps.flatMap { $0.map { Float($0.weight) } }
    }

    /// Elements before and after.
    package var inputCount: Int { outer * input * inner }
    package var outputCount: Int { outer * output * inner }

    /// - Parameters:
    ///   - source: [outer, input, inner]
    ///   - target: [outer, output, inner]
    package func forward(_ source: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>) {
        target.update(repeating: 0, count: outputCount)
        forEachEntry { place, result, weight in
            let (from, to) = (source + place, target + result)
            if weight == 1 {
                for index in 0..<inner { to[index] += from[index] }
            } else {
                for index in 0..<inner { to[index] += from[index] * weight }
            }
        }
    }

    /// - Parameters:
    ///   - gradient: [outer, output, inner], of what `forward` gave.
    ///   - target: [outer, input, inner], of what it was given.
    package func backward(_ gradient: UnsafePointer<Float>, to target: UnsafeMutablePointer<Float>) {
        target.update(repeating: 0, count: inputCount)
        forEachEntry { place, result, weight in
            let (from, to) = (gradient + result, target + place)
            for index in 0..<inner { to[index] += from[index] * weight }
        }
    }

    /// Calls `body` with where the inputs and the outputs of each weight begin.
    private func forEachEntry(_ body: (_ place: Int, _ result: Int, _ weight: Float) -> Void) {
        for block in 0..<outer {
            for index in 0..<output {
                for entry in starts[index]..<starts[index + 1] {
                    body((block * input + places[entry]) * inner, (block * output + index) * inner, weights[entry])
                }
            }
        }
    }
}
