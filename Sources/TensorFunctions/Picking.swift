import Tensors

extension Tensor {
    /// The tensor whose element i is this tensor's element number `sources[i]`.
    /// - Parameter fill: one element of the same type, which stands where that is negative; zero where nil.
    package func picking(_ sources: [Int], shape: Shape, fill: Tensor? = nil) -> Tensor {
        let size = elementType.size
        let filling = fill?.withUnsafeBytes { Array($0) } ?? [UInt8](repeating: 0, count: size)
        let storage = TensorStorage(byteCount: sources.count * size) { target in
            withUnsafeBytes { source in
                for (index, from) in sources.enumerated() {
                    for byte in 0..<size {
                        target[index * size + byte] = from < 0 ? filling[byte] : source[from * size + byte]
                    }
                }
            }
        }
        return Tensor(shape: shape, elementType: elementType, storage: storage)
    }

    /// This tensor with some elements replaced by, or joined with, others.
    /// - Parameters:
    ///   - targets: which element each of `updates` goes to, in their order.
    ///   - joining: of what is there and what comes; replaces where nil.
    package func scattering<Number: TensorElement>(
        _ updates: Tensor, to targets: [Int], as _: Number.Type, joining: ((Number, Number) -> Number)?
    ) -> Tensor {
        var elements = elements(as: Number.self)
        for (target, update) in zip(targets, updates.elements(as: Number.self)) {
            elements[target] = joining.map { $0(elements[target], update) } ?? update
        }
        return Tensor(shape: shape, elements)
    }

    /// This tensor with some elements replaced, of whatever type they are.
    package func scattering(_ updates: Tensor, to targets: [Int]) -> Tensor {
        let size = elementType.size
        let storage = TensorStorage(byteCount: count * size) { bytes in
            withUnsafeBytes { bytes.copyMemory(from: $0) }
            updates.withUnsafeBytes { source in
                for (index, target) in targets.enumerated() {
                    for byte in 0..<size { bytes[target * size + byte] = source[index * size + byte] }
                }
            }
        }
        return Tensor(shape: shape, elementType: elementType, storage: storage)
    }
}

extension Shape {
    /// Calls `body` with the indices along all axes of every element, row-major.
    package func forEachPosition(_ body: ([Int]) -> Void) {
        var position = [Int](repeating: 0, count: rank)
        for _ in 0..<count {
            body(position)
            for axis in dimensions.indices.reversed() {
                position[axis] += 1
                if position[axis] < dimensions[axis] { break }
                position[axis] = 0
            }
        }
    }

    /// The row-major number of the element with these indices.
    package func place(of position: [Int]) -> Int {
        zip(position, strides).reduce(0) { $0 + $1.0 * $1.1 }
    }
}
