import Foundation
import Tensors

/// How a file holds 4-bit integers: two to a byte, the first in the low half; the last byte of an odd number of elements
/// has zeros in its high half.
enum PackedElements {
    static func byteCount(_ elements: Int) -> Int { (elements + 1) / 2 }

    static func pack(_ tensor: Tensor) -> Data {
        tensor.withUnsafeBytes { elements in
            var data = Data(count: byteCount(elements.count))
            for (index, element) in elements.enumerated() {
                data[index / 2] |= (element & 0xF) << (index % 2 == 0 ? 0 : 4)
            }
            return data
        }
    }

    /// - Parameter bytes: `byteCount(shape.count)` of them
    static func unpack(_ bytes: UnsafeRawBufferPointer, shape: Shape, type: ElementType) -> Tensor {
        let storage = TensorStorage(byteCount: shape.count) { elements in
            for index in elements.indices {
                let half = bytes[index / 2] >> (index % 2 == 0 ? 0 : 4) & 0xF
                elements[index] = type == .int4 && half >= 8 ? half | 0xF0 : half
            }
        }
        return Tensor(shape: shape, elementType: type, storage: storage)
    }
}

extension ElementType {
    /// Whether a file holds several elements in one byte.
    var isPacked: Bool { self == .int4 || self == .uint4 }
}
