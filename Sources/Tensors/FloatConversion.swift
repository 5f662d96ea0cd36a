extension Tensor {
    /// Writes the elements as float32, unscaled.
    /// - Parameter place: as long as the tensor has elements; row-major.
    package func copyAsFloats(into place: UnsafeMutableBufferPointer<Float>) {
        func convert<Element: TensorElement>(_ type: Element.Type, _ convert: (Element) -> Float) {
            withUnsafeElements(as: type) { elements in
                for (index, element) in elements.enumerated() { place[index] = convert(element) }
            }
        }
        switch elementType {
        case .float32: withUnsafeBytes { UnsafeMutableRawBufferPointer(place).copyMemory(from: $0) }
        case .float64: convert(Double.self) { Float($0) }
        case .int8: convert(Int8.self) { Float($0) }
        case .int16: convert(Int16.self) { Float($0) }
        case .int32: convert(Int32.self) { Float($0) }
        case .int64: convert(Int64.self) { Float($0) }
        case .uint8: convert(UInt8.self) { Float($0) }
        case .uint16: convert(UInt16.self) { Float($0) }
        case .uint32: convert(UInt32.self) { Float($0) }
        case .uint64: convert(UInt64.self) { Float($0) }
        case .int4, .uint4: widened.copyAsFloats(into: place)
        case .bool:
            withUnsafeBytes { bytes in
                for (index, byte) in bytes.enumerated() { place[index] = byte == 0 ? 0 : 1 }
            }
        case .float16:
            withUnsafeBytes { bytes in
                for index in place.indices {
                    place[index] = Float(bytes.loadUnaligned(fromByteOffset: 2 * index, as: Float16.self))
                }
            }
        case .bfloat16:
            withUnsafeBytes { bytes in
                for index in place.indices {
                    let bits = UInt32(bytes.loadUnaligned(fromByteOffset: 2 * index, as: UInt16.self))
                    place[index] = Float(bitPattern: bits << 16)
                }
            }
        }
    }
}
