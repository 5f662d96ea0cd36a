import Foundation
import Tensors

extension ONNXTensorProto {
    /// A tensor with its data as raw bytes, which are the tensor's own, not a copy, where they are many.
    public init(_ tensor: Tensor, name: String) {
        self.init()
        self.name = name
        dims = tensor.shape.dimensions.map { Int64($0) }
        dataType = Int32(tensor.elementType.onnxCode)
        rawData = tensor.elementType.isPacked ? PackedElements.pack(tensor) : Data(viewing: tensor)
    }
}

extension Data {
    /// The tensor's bytes; the tensor lives as long as they do.
    public init(viewing tensor: Tensor) {
        self = tensor.withUnsafeBytes { bytes in
            guard let start = bytes.baseAddress, bytes.count >= 64 else { return Data(bytes) }
            // Nobody writes through the pointer: `Data` copies before it mutates.
            return Data(
                bytesNoCopy: UnsafeMutableRawPointer(mutating: start), count: bytes.count,
                deallocator: .custom { _, _ in withExtendedLifetime(tensor) {} })
        }
    }
}
