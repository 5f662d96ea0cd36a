/// Resizes images with an antialiased bilinear filter: a triangle whose support grows with the scale when shrinking, as
/// Pillow's `BILINEAR`, in Pillow's arithmetic: weights of 22 fractional bits, first along rows, then along columns,
/// with 8 bits in between. So the bytes are Pillow's, but for the few sizes (among them most that widen an image and
/// lower it) where Pillow 13 goes along columns first, and a byte may differ by one.
///
/// Keeps weights and memory for images of the same sizes. Used by one thread at a time.
struct BilinearResampler {
    private var horizontal = ResamplingWeights(from: 1, to: 1)
    private var vertical = ResamplingWeights(from: 1, to: 1)
    /// [input height, output width, 3]
    private var rows: [UInt8] = []
    /// One row of sums, [output width, 3].
    private var sums: [Int32] = []
    /// [output height, output width, 3]
    private(set) var pixels: [UInt8] = []

    /// Resizes `image` into `pixels`.
    mutating func resize(_ image: RGBImage, width: Int, height: Int) {
        if horizontal.input != image.width || horizontal.output != width {
            horizontal = ResamplingWeights(from: image.width, to: width)
        }
        if vertical.input != image.height || vertical.output != height {
            vertical = ResamplingWeights(from: image.height, to: height)
        }
        Self.grow(&rows, to: 3 * width * image.height)
        Self.grow(&pixels, to: 3 * width * height)
        if sums.count < 3 * width { sums = [Int32](repeating: 0, count: 3 * width) }

        // The closures use copies of the weights: they must not touch `self`, of which they hold a part.
        let (alongRows, alongColumns) = (horizontal, vertical)
        image.pixels.withUnsafeBufferPointer { source in
            rows.withUnsafeMutableBufferPointer { rows in
                Self.resizeRows(source, width: image.width, height: image.height, weights: alongRows, into: rows)
            }
        }
        rows.withUnsafeBufferPointer { rows in
            pixels.withUnsafeMutableBufferPointer { pixels in
                sums.withUnsafeMutableBufferPointer { sums in
                    Self.resizeColumns(rows, rowBytes: 3 * width, weights: alongColumns, sums: sums, into: pixels)
                }
            }
        }
    }

    private static func resizeRows(
        _ source: UnsafeBufferPointer<UInt8>, width: Int, height: Int, weights: ResamplingWeights,
        into target: UnsafeMutableBufferPointer<UInt8>
    ) {
        let outputWidth = weights.output
        weights.withUnsafeWeights { starts, counts, weights, stride in
            for row in 0..<height {
                let line = row * width
                var out = 3 * row * outputWidth
                for column in 0..<outputWidth {
                    var red = ResamplingWeights.half
                    var green = ResamplingWeights.half
                    var blue = ResamplingWeights.half
                    var pixel = 3 * (line + starts[column])
                    for tap in 0..<counts[column] {
                        let weight = weights[column * stride + tap]
                        red &+= weight &* Int32(source[pixel])
                        green &+= weight &* Int32(source[pixel + 1])
                        blue &+= weight &* Int32(source[pixel + 2])
                        pixel += 3
                    }
                    target[out] = ResamplingWeights.byte(red)
                    target[out + 1] = ResamplingWeights.byte(green)
                    target[out + 2] = ResamplingWeights.byte(blue)
                    out += 3
                }
            }
        }
    }

    private static func resizeColumns(
        _ source: UnsafeBufferPointer<UInt8>, rowBytes: Int, weights: ResamplingWeights,
        sums: UnsafeMutableBufferPointer<Int32>, into target: UnsafeMutableBufferPointer<UInt8>
    ) {
        weights.withUnsafeWeights { starts, counts, weightValues, stride in
            for row in 0..<weights.output {
                for byte in 0..<rowBytes { sums[byte] = ResamplingWeights.half }
                for tap in 0..<counts[row] {
                    let weight = weightValues[row * stride + tap]
                    let line = (starts[row] + tap) * rowBytes
                    for byte in 0..<rowBytes { sums[byte] &+= weight &* Int32(source[line + byte]) }
                }
                let out = row * rowBytes
                for byte in 0..<rowBytes { target[out + byte] = ResamplingWeights.byte(sums[byte]) }
            }
        }
    }

    private static func grow(_ bytes: inout [UInt8], to count: Int) {
        if bytes.count < count { bytes = [UInt8](repeating: 0, count: count) }
    }
}

/// For each position of an output axis, the input positions that it is made of and their weights.
struct ResamplingWeights {
    /// Fractional bits of a weight. A sum of weights (1) times a byte (255) then stays below 2^31.
    static let fractionalBits: Int32 = 22
    /// What rounds a sum to the nearest byte when the fractional bits are dropped.
    static let half: Int32 = 1 << (fractionalBits - 1)

    /// Extents in pixels.
    let input: Int
    let output: Int
    private let starts: [Int]
    private let counts: [Int]
    /// [output, stride]
    private let weights: [Int32]
    private let stride: Int

    init(from input: Int, to output: Int) {
        self.input = input
        self.output = output
        let scale = Double(input) / Double(output)
        // Half the width of the triangle, in input pixels: at least one, so that enlarging interpolates.
        let support = max(scale, 1)
        stride = Int(support.rounded(.up)) * 2 + 1
        var starts: [Int] = []
        var counts: [Int] = []
        var weights = [Int32](repeating: 0, count: stride * output)
        for position in 0..<output {
            let center = (Double(position) + 0.5) * scale
            let start = max(Int(center - support + 0.5), 0)
            let end = min(Int(center + support + 0.5), input)
            // The triangle at the centers of the input pixels, then scaled to a sum of 1.
            var taps = (start..<end).map { max(0, 1 - abs((Double($0) - center + 0.5) / support)) }
            let total = taps.reduce(0, +)
            if total > 0 { taps = taps.map { $0 / total } }
            for (tap, value) in taps.enumerated() {
                weights[position * stride + tap] = Int32(0.5 + value * Double(1 << Self.fractionalBits))
            }
            starts.append(start)
            counts.append(end - start)
        }
        self.starts = starts
        self.counts = counts
        self.weights = weights
    }

    func withUnsafeWeights(
        _ body: (
            _ starts: UnsafeBufferPointer<Int>, _ counts: UnsafeBufferPointer<Int>,
            _ weights: UnsafeBufferPointer<Int32>, _ stride: Int
        ) -> Void
    ) {
        starts.withUnsafeBufferPointer { starts in
            counts.withUnsafeBufferPointer { counts in
                weights.withUnsafeBufferPointer { body(starts, counts, $0, stride) }
            }
        }
    }

    /// Drops the fractional bits. Weights are rounded one by one, so a sum may pass 255 a little.
    @inline(__always)
    static func byte(_ sum: Int32) -> UInt8 {
        UInt8(truncatingIfNeeded: min(sum >> fractionalBits, 255))
    }
}
