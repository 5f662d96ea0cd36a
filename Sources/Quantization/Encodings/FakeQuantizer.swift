import CKernels
import Support
import Tensors

/// Rounds values to the grid of their encoding and back, in `Float`; or to half precision, ties to even, where that is what the
/// target holds them as.
///
/// Ties go to the even grid point. That is what ONNX's QuantizeLinear does and what integer kernels of the target do, so
/// the simulation is the exported model to the bit. The reference implementation rounds ties up; values that lie
/// exactly between two grid points are the only ones that differ, by one step.
///
/// NaN becomes the least grid point; infinities become the nearest end.
public struct FakeQuantizer: Sendable {
    /// The grids that values are rounded to.
    public let encodings: TensorEncodings
    /// The variant of the kernels that it calls; all give the same bits.
    package let instructionSet: InstructionSet
    private let runs: GridRuns
    private let grids: [Grid]

    /// An encoding as the kernel takes it.
    private struct Grid: Sendable {
        var delta, offset, steps: Float

        init(_ encoding: Encoding) {
            delta = Float(encoding.delta)
            offset = Float(encoding.offset)
            steps = Float(encoding.steps)
        }
    }

    /// - Parameters:
    ///   - shape: of the tensors it will be applied to, row-major, where there are several encodings.
    /// - Throws: `QuantizationError(.lengthMismatch)` where there are several encodings and no axis, or where the
    ///   channels of the shape are not as many as the encodings.
    public init(_ encodings: TensorEncodings, shape: Shape? = nil, instructionSet: InstructionSet = .pinned)
        throws(QuantizationError)
    {
        runs = try GridRuns(encodings, shape: shape)
        self.encodings = encodings
        self.instructionSet = instructionSet
        grids = encodings.encodings.map(Grid.init)
    }

    /// Quantizes elements of any layout in place. For one encoding per tensor.
    public func apply(inPlace x: UnsafeMutablePointer<Float>, count: Int) {
        precondition(runs == .whole, "a layout is needed to tell \(grids.count) encodings apart")
        apply(grids.first, from: x, to: x, count: count)
    }

    /// Quantizes a tensor of `Float`, per tensor, channel or block.
    public func applied(to tensor: Tensor) -> Tensor {
        tensor.withUnsafeElements(as: Float.self) { applied(to: $0, shape: tensor.shape) }
    }

    /// Quantizes the row-major elements of a shape, per tensor, channel or block.
    public func applied(to elements: UnsafeBufferPointer<Float>, shape: Shape) -> Tensor {
        precondition(elements.count == shape.count, "\(elements.count) elements of \(shape)")
        return Tensor(shape: shape) { apply(to: elements, into: $0) }
    }

    /// Quantizes a tensor of `Float` as `applied(to:)` does, but large ones only when the elements are asked for, each time anew:
    /// of a model's weights, whoever computes with them has a copy of its own.
    public func appliedWhenRead(to tensor: Tensor) -> Tensor {
        let byteCount = tensor.count * MemoryLayout<Float>.stride
        guard byteCount >= Self.computedByteCount else { return applied(to: tensor) }
        let storage = TensorStorage(computing: byteCount) { bytes in
            tensor.withUnsafeElements(as: Float.self) { apply(to: $0, into: bytes.bindMemory(to: Float.self)) }
        }
        return Tensor(shape: tensor.shape, elementType: .float32, storage: storage)
    }

    /// Tensors of this many bytes or more are quantized when they are read.
    private static let computedByteCount = 1 << 20

    private func apply(to elements: UnsafeBufferPointer<Float>, into output: UnsafeMutableBufferPointer<Float>) {
        guard let from = elements.baseAddress, let to = output.baseAddress else { return }
        forEachStretch(of: elements) { grid, stretch in
            apply(
                grid.map { grids[$0] }, from: from + stretch.lowerBound, to: to + stretch.lowerBound,
                count: stretch.count)
        }
    }

    /// Quantizes the row-major elements of a shape stretch by stretch, in order.
    /// - Parameter body: receives a stretch's values, which last as long as it runs, and the place of their encoding; nil for
    ///   half precision.
    public func forEachStretch(
        of elements: UnsafeBufferPointer<Float>, _ body: (_ encoding: Int?, UnsafeBufferPointer<Float>) -> Void
    ) {
        guard let from = elements.baseAddress else { return }
        withUnsafeTemporaryAllocation(of: Float.self, capacity: MappedFiles.piece / MemoryLayout<Float>.stride) {
            buffer in
            guard let to = buffer.baseAddress else { return }
            forEachStretch(of: elements) { (grid: Int?, stretch: Range<Int>) in
                apply(grid.map { grids[$0] }, from: from + stretch.lowerBound, to: to, count: stretch.count)
                body(grid, UnsafeBufferPointer(start: to, count: stretch.count))
            }
        }
    }

    /// Calls `body` with stretches of one encoding each, in order, and lets go of pages behind them.
    private func forEachStretch(of elements: UnsafeBufferPointer<Float>, _ body: (Int?, Range<Int>) -> Void) {
        guard !elements.isEmpty else { return }
        let length = runs.length(in: elements.count)
        let sharing = length / runs.gridsPerRun
        let piece = MappedFiles.piece / MemoryLayout<Float>.stride
        // Elements before this one are done with, in whole pieces.
        var left = 0
        for run in 0..<elements.count / length {
            let first = runs.firstGrid(ofRun: run)
            for grid in 0..<runs.gridsPerRun {
                let begin = run * length + grid * sharing
                for start in stride(from: begin, to: begin + sharing, by: piece) {
                    let count = min(piece, begin + sharing - start)
                    body(grids.isEmpty ? nil : first + grid, start..<start + count)
                    guard start + count - left >= piece else { continue }
                    MappedFiles.letGo(
                        of: UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: elements[left..<start + count])))
                    left = start + count
                }
            }
        }
    }

    /// - Parameter grid: nil for half precision.
    private func apply(_ grid: Grid?, from: UnsafePointer<Float>, to: UnsafeMutablePointer<Float>, count: Int) {
        if let grid {
            qs_fake_quantize(instructionSet.isa, from, to, count, grid.delta, grid.offset, grid.steps)
        } else {
            qs_round_to_half(from, to, count)
        }
    }
}
