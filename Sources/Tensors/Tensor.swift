import Support

/// A dense, row-major, immutable array of elements of one type.
public struct Tensor: Sendable {
    /// Extents of its axes, outermost first.
    public let shape: Shape
    /// Of all elements.
    public let elementType: ElementType
    private let storage: TensorStorage
    private let byteOffset: Int

    /// Views `shape.count` elements of `storage`, from `byteOffset` on. Elements need not be aligned in a mapped file.
    public init(shape: Shape, elementType: ElementType, storage: TensorStorage, byteOffset: Int = 0) {
        precondition(
            byteOffset >= 0 && byteOffset + shape.count * elementType.size <= storage.byteCount,
            "the storage of \(storage.byteCount) bytes does not hold \(shape) \(elementType) at \(byteOffset)")
        self.shape = shape
        self.elementType = elementType
        self.storage = storage
        self.byteOffset = byteOffset
    }

    /// - Parameter elements: [shape], row-major; copied.
    public init<Element: TensorElement>(shape: Shape, _ elements: [Element]) {
        precondition(elements.count == shape.count, "\(shape) does not have \(elements.count) elements")
        self.init(shape: shape) { (buffer: UnsafeMutableBufferPointer<Element>) in
            _ = buffer.update(fromContentsOf: elements)
        }
    }

    /// Has `fill` write all elements of a new tensor.
    public init<Element: TensorElement>(
        shape: Shape, fill: (UnsafeMutableBufferPointer<Element>) throws -> Void
    ) rethrows {
        let storage = try TensorStorage(byteCount: shape.count * MemoryLayout<Element>.stride) { bytes in
            try bytes.withMemoryRebound(to: Element.self) { try fill($0) }
        }
        self.init(shape: shape, elementType: Element.elementType, storage: storage)
    }

    /// A tensor without axes.
    public init<Element: TensorElement>(scalar: Element) {
        self.init(shape: [], [scalar])
    }

    /// Elements.
    public var count: Int { shape.count }

    /// Which bytes a tensor views: equal for copies and reshaped copies of one tensor. Means something only while the tensor,
    /// or another over the same storage, is alive.
    package struct Identity: Hashable {
        private let storage: ObjectIdentifier
        private let byteOffset, byteCount: Int

        fileprivate init(_ tensor: Tensor) {
            storage = ObjectIdentifier(tensor.storage)
            byteOffset = tensor.byteOffset
            byteCount = tensor.count * tensor.elementType.size
        }
    }

    /// Equal for tensors that view the same bytes.
    package var identity: Identity { Identity(self) }

    /// Calls `body` with the bytes of the elements, row-major, in the machine's byte order.
    public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
        try storage.withBytes { bytes in
            try body(UnsafeRawBufferPointer(rebasing: bytes[byteOffset..<byteOffset + count * elementType.size]))
        }
    }

    /// The elements, row-major. `Element` must be what the tensor holds.
    public func elements<Element: TensorElement>(as type: Element.Type = Element.self) -> [Element] {
        precondition(Element.elementType == elementType, "the tensor holds \(elementType), not \(Element.elementType)")
        return [Element](unsafeUninitializedCapacity: count) { buffer, initialized in
            withUnsafeBytes { UnsafeMutableRawBufferPointer(buffer).copyMemory(from: $0) }
            initialized = count
        }
    }

    /// Calls `body` with the elements in place where they are aligned, else with a copy.
    public func withUnsafeElements<Element: TensorElement, Result>(
        as type: Element.Type, _ body: (UnsafeBufferPointer<Element>) throws -> Result
    ) rethrows -> Result {
        precondition(Element.elementType == elementType, "the tensor holds \(elementType), not \(Element.elementType)")
        return try withUnsafeBytes { bytes in
            if let start = bytes.baseAddress, Int(bitPattern: start) % MemoryLayout<Element>.alignment != 0 {
                return try elements(as: Element.self).withUnsafeBufferPointer(body)
            }
            return try bytes.withMemoryRebound(to: Element.self, body)
        }
    }

    /// Lets go of the pages of a mapped file that the elements lie in; they are read again when they are asked for.
    package func letGoOfPages() {
        guard !storage.isComputed else { return }
        withUnsafeBytes { MappedFiles.letGo(of: $0) }
    }

    /// So many float32 elements are gone through before their pages are let go of.
    package static var pieceElements: Int { MappedFiles.piece / MemoryLayout<Float>.stride }

    /// Lets go of the pages of a mapped file that some elements lie in.
    package static func letGo(of elements: UnsafeBufferPointer<Float>) {
        MappedFiles.letGo(of: UnsafeRawBufferPointer(elements))
    }

    /// The bytes of the elements alone, kept alive with the tensor.
    package var borrowed: TensorStorage {
        let end = byteOffset + count * elementType.size
        let storage = storage.lastingStorage
        return TensorStorage(borrowing: UnsafeRawBufferPointer(rebasing: storage.bytes[byteOffset..<end])) {
            withExtendedLifetime(storage) {}
        }
    }

    /// The same elements as 8-bit integers where they are 4-bit ones.
    public var widened: Tensor {
        let wide: ElementType? = elementType == .int4 ? .int8 : elementType == .uint4 ? .uint8 : nil
        return wide.map { Tensor(shape: shape, elementType: $0, storage: storage, byteOffset: byteOffset) } ?? self
    }

    /// The same elements under another shape of the same count.
    public func reshaped(_ shape: Shape) -> Tensor {
        precondition(shape.count == count, "\(self.shape) cannot be reshaped to \(shape)")
        return Tensor(shape: shape, elementType: elementType, storage: storage, byteOffset: byteOffset)
    }
}

extension Tensor: Equatable {
    /// Same type, same shape, same bytes (so a NaN equals itself).
    public static func == (left: Tensor, right: Tensor) -> Bool {
        guard left.elementType == right.elementType, left.shape == right.shape else { return false }
        return left.identity == right.identity
            || left.withUnsafeBytes { a in right.withUnsafeBytes { b in a.elementsEqual(b) } }
    }
}
