import CKernels
import Quantization
import Support
import Tensors

/// Fake quantization that lets gradients through (the straight-through estimator, Bengio, Leonard and Courville, 2013):
/// the forward pass rounds values to the grid as `FakeQuantizer` does, to the bit; the backward pass gives the gradient of
/// an element unchanged where `round(x / delta) - offset` lies in `0...steps`, and zero elsewhere. That is the reference
/// implementation's rule (aimet-torch 2.42): elements that are rounded to an end of the grid still pass. Of half precision, all
/// gradients pass.
public struct StraightThrough: Sendable {
    /// The grids that values were rounded to.
    public let encodings: TensorEncodings
    /// The variant of the kernels that it calls; all give the same bits.
    package let instructionSet: InstructionSet
    private let runs: GridRuns
    private let delta: [Float]
    /// The least and greatest grid points over delta.
    private let lower: [Float]
    private let upper: [Float]

    /// - Parameter shape: of the tensors it is applied to, row-major, where there are several encodings.
    /// - Throws: `QuantizationError(.lengthMismatch)` where the channels of the shape are not as many as the encodings.
    public init(
        _ encodings: TensorEncodings, shape: Shape? = nil, instructionSet: InstructionSet = .pinned
    ) throws(QuantizationError) {
        self.encodings = encodings
        self.instructionSet = instructionSet
        runs = try GridRuns(encodings, shape: shape)
        delta = encodings.encodings.map { Float($0.delta) }
        lower = encodings.encodings.map { Float($0.offset) }
        upper = encodings.encodings.map { Float($0.offset) + Float($0.steps) }
    }

    /// Quantizes and dequantizes values in place.
    /// - Parameters:
    ///   - values: for one encoding, elements of any layout; for several, row-major elements of the shape.
    ///   - mask: receives where the gradient passes; its memory is used again.
    public func forward(inPlace values: UnsafeMutableBufferPointer<Float>, recording mask: inout GradientMask) {
        forward(UnsafeBufferPointer(values), into: values, recording: &mask)
    }

    /// Quantizes and dequantizes `values` into `output`, which is the same memory or does not overlap.
    public func forward(
        _ values: UnsafeBufferPointer<Float>, into output: UnsafeMutableBufferPointer<Float>,
        recording mask: inout GradientMask
    ) {
        precondition(values.count == output.count, "\(values.count) values into \(output.count)")
        let length = runs.length(in: values.count)
        mask.reset(count: values.count, run: length)
        guard let from = values.baseAddress, let to = output.baseAddress, length > 0 else { return }
        guard encodings.dataType == .int else {
            mask.letAllPass()
            qs_round_to_half(from, to, values.count)
            return
        }
        let (isa, bytesPerRun) = (instructionSet.isa, mask.bytesPerRun)
        withGrids { delta, lower, upper in
            mask.bits.withUnsafeMutableBufferPointer { bits in
                guard let bits = bits.baseAddress else { return }
                for run in 0..<values.count / length {
                    let (start, own, grid) = (run * length, bits + run * bytesPerRun, runs.firstGrid(ofRun: run))
                    if runs.gridsPerRun > 1 {
                        qs_fake_quantize_masked_each(
                            isa, from + start, to + start, own, length, delta + grid, lower + grid, upper + grid)
                    } else {
                        qs_fake_quantize_masked(
                            isa, from + start, to + start, own, length, delta[grid], lower[grid],
                            upper[grid] - lower[grid])
                    }
                }
            }
        }
    }

    private func withGrids(
        _ body: (UnsafePointer<Float>, UnsafePointer<Float>, UnsafePointer<Float>) -> Void
    ) {
        delta.withUnsafeBufferPointer { delta in
            lower.withUnsafeBufferPointer { lower in
                upper.withUnsafeBufferPointer { upper in
                    guard let delta = delta.baseAddress, let lower = lower.baseAddress, let upper = upper.baseAddress
                    else { return }
                    body(delta, lower, upper)
                }
            }
        }
    }

    /// Makes zero of the gradient where the forward pass clipped.
    /// - Parameter gradient: element by element that of the values of the forward pass.
    public func backward(inPlace gradient: UnsafeMutableBufferPointer<Float>, mask: GradientMask) {
        precondition(gradient.count == mask.count, "\(gradient.count) gradients of \(mask.count) values")
        guard let start = gradient.baseAddress, mask.run > 0 else { return }
        mask.bits.withUnsafeBufferPointer { bits in
            guard let bits = bits.baseAddress else { return }
            for run in 0..<gradient.count / mask.run {
                qs_apply_mask(instructionSet.isa, start + run * mask.run, bits + run * mask.bytesPerRun, mask.run)
            }
        }
    }

    /// Quantizes and dequantizes values in place, and keeps them as they were for `backward(inPlace:values:)`.
    /// - Parameters:
    ///   - values: of any layout; there is one encoding.
    ///   - kept: as many elements, of other memory.
    public func forward(
        inPlace values: UnsafeMutableBufferPointer<Float>, keeping kept: UnsafeMutableBufferPointer<Float>
    ) {
        precondition(
            delta.count == 1 && kept.count == values.count,
            "\(values.count) values of \(delta.count) encodings into \(kept.count)")
        guard let start = values.baseAddress, let kept = kept.baseAddress else { return }
        qs_fake_quantize_keeping(
            instructionSet.isa, start, kept, values.count, delta[0], lower[0], upper[0] - lower[0])
    }

    /// Makes zero of the gradient where the forward pass clipped.
    /// - Parameters:
    ///   - gradient: with respect to the quantized values.
    ///   - values: as they were before the forward pass, element by element.
    /// - Returns: what the gradients of each channel's range are made of; see `LearnedRange`.
    @discardableResult
    public func backward(
        inPlace gradient: UnsafeMutableBufferPointer<Float>, values: UnsafeBufferPointer<Float>
    ) -> [RangeSums] {
        precondition(values.count == gradient.count, "\(gradient.count) gradients of \(values.count) values")
        var sums = [qs_range_sums](repeating: qs_range_sums(), count: delta.count)
        let length = runs.length(in: values.count)
        guard let x = values.baseAddress, let g = gradient.baseAddress, length > 0, encodings.dataType == .int else {
            return sums.map { RangeSums($0) }
        }
        withGrids { delta, lower, upper in
            sums.withUnsafeMutableBufferPointer { sums in
                guard let sums = sums.baseAddress else { return }
                for run in 0..<values.count / length {
                    let (start, grid) = (run * length, runs.firstGrid(ofRun: run))
                    if runs.gridsPerRun > 1 {
                        qs_range_backward_each(
                            x + start, g + start, length, length, delta + grid, lower + grid, upper + grid, sums + grid)
                    } else {
                        qs_range_backward(
                            instructionSet.isa, x + start, g + start, length, delta[grid], lower[grid],
                            upper[grid] - lower[grid], sums + grid)
                    }
                }
            }
        }
        return zip(sums, delta).map { RangeSums($0, delta: $1) }
    }
}

/// Where the gradient passes: one bit for each element of a forward pass.
public struct GradientMask: Equatable, Sendable {
    /// Elements.
    public private(set) var count = 0
    /// Elements of a run; each run begins with a byte of its own.
    private(set) var run = 0
    var bytesPerRun: Int { (run + 7) / 8 }
    fileprivate(set) var bits: [UInt8] = []

    /// Of no elements.
    public init() {}

    /// Whether the gradient of an element passes.
    public subscript(index: Int) -> Bool {
        precondition((0..<count).contains(index), "element \(index) of \(count)")
        let place = index % run
        return bits[index / run * bytesPerRun + place / 8] >> UInt8(place % 8) & 1 == 1
    }

    fileprivate mutating func reset(count: Int, run: Int) {
        self.count = count
        self.run = run
        let bytes = run == 0 ? 0 : count / run * bytesPerRun
        if bits.count != bytes { bits = [UInt8](repeating: 0, count: bytes) }
    }

    /// Of a mask that is one run.
    fileprivate mutating func letAllPass() {
        for index in bits.indices { bits[index] = .max }
        // As the kernels leave the bits that fill up the last byte.
        if run % 8 != 0, let last = bits.indices.last { bits[last] = UInt8(1 << (run % 8) - 1) }
    }
}
