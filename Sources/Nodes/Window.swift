import Tensors

/// A window that slides over the spatial axes: the attributes that convolutions and poolings share.
public struct Window: Sendable, Equatable {
    /// What stands around the input; no element of it is the maximum of a window.
    public enum Padding: Sendable, Equatable {
        /// Elements added before and after each spatial axis; empty where the file gives none (all zero).
        case explicit(begin: [Int], end: [Int])
        /// As much padding as makes the output ceil(input / stride); an odd element goes to the end.
        case sameUpper
        /// As `sameUpper`, but an odd element goes to the beginning.
        case sameLower
        case valid
    }

    /// Extents of the window, where the attribute gives them; convolutions may leave them to the weight's shape.
    public let kernel: [Int]?
    /// One for each spatial axis. Empty only where no attribute tells the number of axes; then all are 1.
    public let strides: [Int]
    /// One for each spatial axis. Empty only where no attribute tells the number of axes; then all are 1.
    public let dilations: [Int]
    /// What stands around the input.
    public let padding: Padding
    /// Whether a last window that is not wholly inside counts.
    public let ceilMode: Bool

    /// - Parameters:
    ///   - kernel: extents; nil where they are left to the weight's shape.
    ///   - strides: one for each spatial axis, as `dilations`, or none for all 1.
    public init(kernel: [Int]?, strides: [Int], dilations: [Int], padding: Padding, ceilMode: Bool) {
        self.kernel = kernel
        self.strides = strides
        self.dilations = dilations
        self.padding = padding
        self.ceilMode = ceilMode
    }

    /// One window over all of each channel of an input [batch, channels, spatial...].
    package static func whole(of shape: Shape) -> Window {
        let extents = Array(shape.dimensions.dropFirst(2))
        let ones = extents.map { _ in 1 }
        return Window(kernel: extents, strides: ones, dilations: ones, padding: .valid, ceilMode: false)
    }

    /// Attributes beyond this are refused, so that the arithmetic below cannot overflow.
    package static let limit = Int(Int32.max)

    package init(node: Node, attributes: inout AttributeReader, hasCeilMode: Bool) throws {
        kernel = try attributes.ints("kernel_shape", in: 1...Self.limit)
        let strides = try attributes.ints("strides", in: 1...Self.limit)
        let dilations = try attributes.ints("dilations", in: 1...Self.limit)
        let pads = try attributes.ints("pads", in: 0...Self.limit)
        ceilMode = hasCeilMode ? try attributes.flag("ceil_mode") : false
        let automatic = try attributes.string("auto_pad") ?? "NOTSET"
        let counts = [kernel?.count, strides?.count, dilations?.count, pads.map { $0.count / 2 }].compactMap { $0 }
        guard Set(counts).count <= 1, (pads?.count ?? 0) % 2 == 0 else {
            throw GraphError(
                .invalidAttribute, at: node, expected: "window attributes for the same number of axes",
                found: "\(counts)")
        }
        let axes = counts.first ?? 0
        self.strides = strides ?? [Int](repeating: 1, count: axes)
        self.dilations = dilations ?? [Int](repeating: 1, count: axes)
        switch automatic {
        case "NOTSET", "":
            let pads = pads ?? [Int](repeating: 0, count: 2 * axes)
            padding = .explicit(begin: Array(pads.prefix(axes)), end: Array(pads.suffix(axes)))
        case "SAME_UPPER": padding = .sameUpper
        case "SAME_LOWER": padding = .sameLower
        case "VALID": padding = .valid
        default:
            throw GraphError(
                .invalidAttribute, at: node, expected: "auto_pad NOTSET, SAME_UPPER, SAME_LOWER or VALID",
                found: automatic)
        }
    }

    /// Distance of neighbouring windows along a spatial axis, in elements.
    public func stride(_ axis: Int) -> Int { strides.isEmpty ? 1 : strides[axis] }

    /// Distance of neighbours in the window along a spatial axis, in elements.
    public func dilation(_ axis: Int) -> Int { dilations.isEmpty ? 1 : dilations[axis] }

    /// Whether the attributes fit this number of spatial axes.
    package func fits(spatialAxes: Int) -> Bool {
        (strides.isEmpty || strides.count == spatialAxes) && (kernel.map { $0.count == spatialAxes } ?? true)
    }

    /// How many elements to add before and after each spatial axis.
    /// - Parameters:
    ///   - input: extents of the spatial axes
    ///   - kernel: extents of the window
    public func resolvedPadding(input: [Int], kernel: [Int]) -> (begin: [Int], end: [Int]) {
        let zeros = [Int](repeating: 0, count: input.count)
        switch padding {
        case .valid: return (zeros, zeros)
        case .explicit(let begin, let end): return begin.isEmpty ? (zeros, zeros) : (begin, end)
        case .sameUpper, .sameLower:
            let total = input.indices.map { axis in
                let windows = (input[axis] + stride(axis) - 1) / stride(axis)
                return max((windows - 1) * stride(axis) + span(axis, kernel) - input[axis], 0)
            }
            let half = total.map { $0 / 2 }
            let rest = total.map { $0 - $0 / 2 }
            return padding == .sameUpper ? (half, rest) : (rest, half)
        }
    }

    /// Extents of the output's spatial axes; below 1 where the window does not fit the input.
    /// - Parameters:
    ///   - input: extents of the spatial axes
    ///   - kernel: extents of the window
    public func outputExtents(input: [Int], kernel: [Int]) -> [Int] {
        let (begin, end) = resolvedPadding(input: input, kernel: kernel)
        return input.indices.map { axis in
            let room = input[axis] + begin[axis] + end[axis] - span(axis, kernel)
            guard room >= 0 else { return 0 }
            guard ceilMode else { return room / stride(axis) + 1 }
            let count = (room + stride(axis) - 1) / stride(axis) + 1
            // A window that would start in the padding at the end sees no element of the input and does not count.
            return (count - 1) * stride(axis) >= input[axis] + begin[axis] ? count - 1 : count
        }
    }

    /// How many elements a window covers along an axis, those that dilation skips included.
    private func span(_ axis: Int, _ kernel: [Int]) -> Int {
        (kernel[axis] - 1) * dilation(axis) + 1
    }
}

extension ValueType {
    /// Bytes of all elements; nil where the number does not fit an `Int` or an extent is beyond what the window arithmetic
    /// takes.
    package var byteCount: Int? {
        var bytes = elementType.size
        for extent in shape.dimensions {
            let (product, overflow) = bytes.multipliedReportingOverflow(by: extent)
            guard !overflow, extent <= Window.limit else { return nil }
            bytes = product
        }
        return bytes
    }
}
