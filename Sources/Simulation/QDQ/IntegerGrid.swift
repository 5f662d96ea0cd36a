import Graph
import Nodes
import Operators
import Quantization
import Tensors

/// A grid as ONNX says it: `real = (q - zero_point) * scale`, with `q` of an integer type.
///
/// The type is the smallest of 4, 8 and 16 bits that has all points of the grid: signed with zero point 0 for symmetric
/// grids, unsigned with zero point `-offset` for all others.
struct IntegerGrid {
    let encodings: TensorEncodings
    /// `int4`, `uint4`, `int8`, `uint8`, `int16` or `uint16`.
    let elementType: ElementType

    /// - Parameter tensor: what errors call it.
    /// - Throws: `SimulationError(.unsupportedBitwidth)` for grids of more than 16 bits.
    init(_ encodings: TensorEncodings, tensor: String) throws(SimulationError) {
        self.encodings = encodings
        let bitwidth = encodings.encodings.map(\.bitwidth).max() ?? 0
        let isSigned = encodings.encodings.allSatisfy(\.isCentered)
        switch bitwidth {
        case 1...4: elementType = isSigned ? .int4 : .uint4
        case 5...8: elementType = isSigned ? .int8 : .uint8
        case 9...16: elementType = isSigned ? .int16 : .uint16
        default:
            throw SimulationError(
                .unsupportedBitwidth, tensor: tensor, expected: "at most 16", found: "\(bitwidth)")
        }
    }

    var isSigned: Bool { [.int4, .int8, .int16].contains(elementType) }

    /// The first operator set whose QuantizeLinear and DequantizeLinear take the type, and one scale per channel.
    var opsetVersion: Int {
        if encodings.blocks != nil || elementType != .int8 && elementType != .uint8 { return 21 }
        return encodings.axis == nil ? 10 : 13
    }

    /// The ends of the grid where the type goes beyond them, so that saturation does not clip to the grid: 6 bits in a
    /// uint8, a strict symmetric grid. Of a tensor with one encoding.
    var bounds: ClosedRange<Float>? {
        let encoding = encodings.encodings[0]
        let bits = [.int4, .uint4].contains(elementType) ? 4 : 8 * elementType.size
        let lowest = isSigned ? -(1 << (bits - 1)) : encoding.offset
        guard encoding.offset != lowest || encoding.steps != (1 << bits) - 1 else { return nil }
        let delta = Float(encoding.delta)
        return Float(encoding.offset) * delta...Float(encoding.offset + encoding.steps) * delta
    }

    /// One float32 per encoding; without axes where there is one for the whole tensor. Of blocks, as many along each axis as
    /// the tensor has elements, but along that of the blocks.
    /// - Parameter shape: of the tensor.
    func scale(for shape: Shape?) -> Tensor {
        let (layout, places) = layout(for: shape)
        return Tensor(shape: layout, places.map { Float(encodings.encodings[$0].delta) })
    }

    /// As `scale`.
    func zeroPoint(for shape: Shape?) -> Tensor {
        let (layout, places) = layout(for: shape)
        return integers(shape: layout, places.map { isSigned ? 0 : -encodings.encodings[$0].offset })
    }

    /// Which encoding each element of scale and zero point is of.
    private func layout(for shape: Shape?) -> (shape: Shape, encodings: [Int]) {
        let all = Array(encodings.encodings.indices)
        guard let grids = encodings.blockGrids, let axis = encodings.blocks?.axis, let shape else {
            return (encodings.axis == nil ? [] : [all.count], all)
        }
        var dimensions = shape.dimensions
        dimensions[axis] = grids[axis]
        let layout = Shape(dimensions)
        let runs = GridRuns(shape: layout, grids: grids)
        return (layout, runs.gridOfEachElement(count: layout.count))
    }

    /// The `axis` of the nodes where there are several scales, and `block_size` where channels are cut into blocks.
    var attributes: [String: Attribute] {
        guard let axis = encodings.blocks?.axis ?? encodings.axis else { return [:] }
        return ["axis": .int(axis)].merging(encodings.blocks.map { ["block_size": .int($0.size)] } ?? [:]) { $1 }
    }

    /// What a constant of float32 is on the grid: exactly what the simulation makes of it.
    /// - Throws: `QuantizationError` where the encodings are not as many as the channels.
    func quantized(_ constant: Tensor) throws(QuantizationError) -> Tensor {
        let quantizer = try FakeQuantizer(encodings, shape: constant.shape)
        return switch elementType {
        case .int16: quantized(constant, by: quantizer, Int16.self)
        case .uint16: quantized(constant, by: quantizer, UInt16.self)
        case .int4, .int8: quantized(constant, by: quantizer, Int8.self)
        default: quantized(constant, by: quantizer, UInt8.self)
        }
    }

    private func quantized<Element: FixedWidthInteger & BitwiseCopyable>(
        _ constant: Tensor, by quantizer: FakeQuantizer, _: Element.Type
    ) -> Tensor {
        let grids = encodings.encodings.map { (delta: Float($0.delta), zero: isSigned ? 0 : -$0.offset) }
        var written = SpillingBytes(count: constant.count * MemoryLayout<Element>.stride)
        constant.withUnsafeElements(as: Float.self) { elements in
            quantizer.forEachStretch(of: elements) { place, values in
                guard let grid = place.map({ grids[$0] }) else { return }
                // A grid point is a float times delta, rounded, so the quotient is within rounding of an integer.
                written.append(
                    values.lazy.map { Element(truncatingIfNeeded: Int(($0 / grid.delta).rounded()) + grid.zero) })
            }
        }
        return Tensor(shape: constant.shape, elementType: elementType, storage: written.storage())
    }

    private func integers(shape: Shape, _ values: [Int]) -> Tensor {
        func tensor<Element: TensorElement & FixedWidthInteger>(_: Element.Type) -> Tensor {
            let storage = TensorStorage(byteCount: values.count * MemoryLayout<Element>.size) { bytes in
                _ = bytes.bindMemory(to: Element.self).update(
                    fromContentsOf: values.map { Element(truncatingIfNeeded: $0) })
            }
            return Tensor(shape: shape, elementType: elementType, storage: storage)
        }
        return switch elementType {
        case .int16: tensor(Int16.self)
        case .uint16: tensor(UInt16.self)
        case .int4, .int8: tensor(Int8.self)
        default: tensor(UInt8.self)
        }
    }
}

extension Encoding {
    /// Whether zero is in the middle: symmetric, strict or not, and not moved to the values above zero.
    fileprivate var isCentered: Bool {
        let half = 1 << (bitwidth - 1)
        return symmetric && (offset == -half || offset == 1 - half)
    }
}
