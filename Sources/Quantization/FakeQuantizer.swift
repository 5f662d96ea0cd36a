import CKernels
import Tensors

/// Rounds values to the grid of their encoding and back, in `Float`.
///
/// Ties go to the even grid point. That is what ONNX's QuantizeLinear does and what integer kernels of the target do, so
/// the simulation is the exported model to the bit. The reference implementation rounds ties up; values that lie
/// exactly between two grid points are the only ones that differ, by one step.
///
/// NaN becomes the least grid point; infinities become the nearest end.
public struct FakeQuantizer: Sendable {
    public let encodings: TensorEncodings
    private let instructionSet: InstructionSet
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
    ///   - shape: of the tensors it will be applied to, row-major, where there is one encoding per channel.
    /// - Throws: `QuantizationError(.lengthMismatch)` where there are several encodings and no axis, or where the
    ///   channels of the shape are not as many as the encodings.
    public init(_ encodings: TensorEncodings, shape: Shape? = nil, instructionSet: InstructionSet = .best)
        throws(QuantizationError)
    {
        guard encodings.encodings.count == 1 || encodings.axis != nil else {
            throw QuantizationError(
                .lengthMismatch, key: "axis", expected: "1", found: "\(encodings.encodings.count)")
        }
        if let axis = encodings.axis, let shape {
            guard axis < shape.rank, shape[axis] == encodings.encodings.count else {
                throw QuantizationError(
                    .lengthMismatch, key: "axis \(axis)", expected: "\(encodings.encodings.count)", found: "\(shape)")
            }
        }
        self.encodings = encodings
        self.instructionSet = instructionSet
        grids = encodings.encodings.map(Grid.init)
    }

    /// Quantizes elements of any layout in place. For one encoding per tensor.
    public func apply(inPlace x: UnsafeMutablePointer<Float>, count: Int) {
        precondition(grids.count == 1, "a layout is needed to tell \(grids.count) channels apart")
        apply(grids[0], from: x, to: x, count: count)
    }

    /// Quantizes a tensor of `Float`, per tensor or per channel.
    public func applied(to tensor: Tensor) -> Tensor {
        tensor.withUnsafeElements(as: Float.self) { applied(to: $0, shape: tensor.shape) }
    }

    /// Quantizes the row-major elements of a shape, per tensor or per channel.
    public func applied(to elements: UnsafeBufferPointer<Float>, shape: Shape) -> Tensor {
        let axis = encodings.axis ?? 0
        let channels = encodings.axis == nil ? 1 : shape[axis]
        precondition(channels == grids.count, "\(shape) does not have \(grids.count) channels on axis \(axis)")
        precondition(elements.count == shape.count, "\(elements.count) elements of \(shape)")
        let outer = encodings.axis == nil ? 1 : shape.dimensions[..<axis].reduce(1, *)
        let inner = shape.count / max(outer * channels, 1)
        return Tensor(shape: shape) { (output: UnsafeMutableBufferPointer<Float>) in
            guard let from = elements.baseAddress, let to = output.baseAddress, !elements.isEmpty else { return }
            for row in 0..<outer * channels {
                apply(grids[row % channels], from: from + row * inner, to: to + row * inner, count: inner)
            }
        }
    }

    private func apply(_ grid: Grid, from: UnsafePointer<Float>, to: UnsafeMutablePointer<Float>, count: Int) {
        qs_fake_quantize(instructionSet.isa, from, to, count, grid.delta, grid.offset, grid.steps)
    }
}
