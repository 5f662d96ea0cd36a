import Tensors

extension Tensor {
    /// The same numbers as another type that holds every one of this tensor's; nil where it may not.
    package func widened(to target: ElementType) -> Tensor? {
        let isHeld =
            switch (elementType, target) {
            case (.int8, .int16), (.int8, .int32), (.int8, .int64), (.int16, .int32), (.int16, .int64),
                (.int32, .int64), (.uint8, .uint16), (.uint8, .uint32), (.uint8, .uint64), (.uint16, .uint32),
                (.uint16, .uint64), (.uint32, .uint64), (.uint8, .int16), (.uint8, .int32), (.uint8, .int64),
                (.uint16, .int32), (.uint16, .int64), (.uint32, .int64), (.float16, .float64), (.float32, .float64):
                true
            default: false
            }
        return isHeld ? converted(to: target) : nil
    }

    /// The elements as another type: integers keep their low bits, fractions are cut towards zero, what is beyond an
    /// integer type's range is clamped and NaN is 0 there; anything but zero is true. To types of at least 8 bits.
    package func converted(to target: ElementType) -> Tensor {
        if target == elementType { return self }
        let size = target.size
        let storage = TensorStorage(byteCount: count * size) { bytes in
            withUnsafeBytes { source in
                for index in 0..<count {
                    let offset = index * elementType.size
                    if elementType.isFloatingPoint {
                        Self.store(
                            Self.float(source, offset, elementType), to: bytes, at: index * size, as: target)
                    } else {
                        Self.store(
                            Self.integer(source, offset, elementType), to: bytes, at: index * size, as: target)
                    }
                }
            }
        }
        return Tensor(shape: shape, elementType: target, storage: storage)
    }

    private static func float(_ bytes: UnsafeRawBufferPointer, _ offset: Int, _ type: ElementType) -> Double {
        switch type {
        case .float64: bytes.loadUnaligned(fromByteOffset: offset, as: Double.self)
        case .float16: Double(Float16(bitPattern: bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self)))
        case .bfloat16:
            Double(Float(bitPattern: UInt32(bytes.loadUnaligned(fromByteOffset: offset, as: UInt16.self)) << 16))
        default: Double(bytes.loadUnaligned(fromByteOffset: offset, as: Float.self))
        }
    }

    private static func integer(_ bytes: UnsafeRawBufferPointer, _ offset: Int, _ type: ElementType) -> Int64 {
        func load<Integer: FixedWidthInteger & BitwiseCopyable>(_: Integer.Type) -> Int64 {
            Int64(truncatingIfNeeded: bytes.loadUnaligned(fromByteOffset: offset, as: Integer.self))
        }
        return switch type {
        case .int8, .int4: load(Int8.self)
        case .int16: load(Int16.self)
        case .int32: load(Int32.self)
        case .uint8, .bool, .uint4: load(UInt8.self)
        case .uint16: load(UInt16.self)
        case .uint32: load(UInt32.self)
        case .uint64: load(UInt64.self)
        default: load(Int64.self)
        }
    }

    private static func store(
        _ value: Double, to bytes: UnsafeMutableRawBufferPointer, at offset: Int, as type: ElementType
    ) {
        func clamped<Integer: FixedWidthInteger & BitwiseCopyable>(_: Integer.Type) {
            // Limits as doubles may round up beyond the type's range, so the comparison excludes them.
            let integer: Integer =
                value.isNaN
                ? 0 : value <= Double(Integer.min) ? .min : value >= Double(Integer.max) ? .max : Integer(value)
            bytes.storeBytes(of: integer, toByteOffset: offset, as: Integer.self)
        }
        switch type {
        case .int8, .int4: clamped(Int8.self)
        case .int16: clamped(Int16.self)
        case .int32: clamped(Int32.self)
        case .int64: clamped(Int64.self)
        case .uint8, .uint4: clamped(UInt8.self)
        case .uint16: clamped(UInt16.self)
        case .uint32: clamped(UInt32.self)
        case .uint64: clamped(UInt64.self)
        case .bool: bytes.storeBytes(of: value == 0 ? 0 : 1, toByteOffset: offset, as: UInt8.self)
        case .float32, .float64, .float16, .bfloat16: storeFloat(value, to: bytes, at: offset, as: type)
        }
    }

    private static func store(
        _ value: Int64, to bytes: UnsafeMutableRawBufferPointer, at offset: Int, as type: ElementType
    ) {
        switch type.size {
        case _ where type == .bool: bytes.storeBytes(of: value == 0 ? 0 : 1, toByteOffset: offset, as: UInt8.self)
        case _ where type == .float32: bytes.storeBytes(of: Float(value), toByteOffset: offset, as: Float.self)
        case _ where type.isFloatingPoint: storeFloat(Double(value), to: bytes, at: offset, as: type)
        case 1: bytes.storeBytes(of: UInt8(truncatingIfNeeded: value), toByteOffset: offset, as: UInt8.self)
        case 2: bytes.storeBytes(of: UInt16(truncatingIfNeeded: value), toByteOffset: offset, as: UInt16.self)
        case 4: bytes.storeBytes(of: UInt32(truncatingIfNeeded: value), toByteOffset: offset, as: UInt32.self)
        default: bytes.storeBytes(of: value, toByteOffset: offset, as: Int64.self)
        }
    }

    private static func storeFloat(
        _ value: Double, to bytes: UnsafeMutableRawBufferPointer, at offset: Int, as type: ElementType
    ) {
        switch type {
        case .float64: bytes.storeBytes(of: value, toByteOffset: offset, as: Double.self)
        case .float16: bytes.storeBytes(of: Float16(value).bitPattern, toByteOffset: offset, as: UInt16.self)
        case .bfloat16:
            // Round to nearest even by carrying into the bits that stay; a NaN stays one.
            let bits = Float(value).bitPattern
            let rounded = value.isNaN ? bits | 0x40_0000 : bits &+ 0x7FFF &+ (bits >> 16 & 1)
            bytes.storeBytes(of: UInt16(rounded >> 16), toByteOffset: offset, as: UInt16.self)
        default: bytes.storeBytes(of: Float(value), toByteOffset: offset, as: Float.self)
        }
    }
}

extension Tensor {
    /// The numbers of an int64 or int32 tensor; nil for other types.
    package var integers: [Int]? {
        switch elementType {
        case .int64: elements(as: Int64.self).map { Int($0) }
        case .int32: elements(as: Int32.self).map { Int($0) }
        default: nil
        }
    }

    /// The numbers as float32.
    package var floats: [Float] { converted(to: .float32).elements(as: Float.self) }

    /// Which elements are not zero; NaN is not.
    package var truths: [Bool] {
        converted(to: .bool).withUnsafeBytes { bytes in bytes.map { $0 != 0 } }
    }

    /// Truth values.
    package init(shape: Shape, _ values: [Bool]) {
        let storage = TensorStorage(byteCount: values.count) { $0.copyBytes(from: values.map { $0 ? 1 : 0 }) }
        self.init(shape: shape, elementType: .bool, storage: storage)
    }
}
