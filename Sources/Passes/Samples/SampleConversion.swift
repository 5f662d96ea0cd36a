import TensorFunctions
import Tensors

/// How an array of a sample becomes what an input of another element type takes.
package enum SampleConversion: Equatable, Sendable {
    /// The types are the same.
    case none
    /// The input's type holds every number of the array's.
    case exact
    /// To the nearest number of the input's floating-point type.
    case rounded
    /// Integers that the input's type holds; a sample with another is refused.
    case whereHeld

    /// - Returns: nil for fractions that an input of integers or truth values would take.
    package init?(from array: ElementType, to input: ElementType) {
        if array == input {
            self = .none
        } else if let digits = input.digits {
            // Of 16-bit types neither holds the other's: one has more digits, the other the greater range.
            let fits = array.digits.map { $0 < digits && array.size < input.size } ?? (array.integerBits <= digits)
            self = fits ? .exact : .rounded
        } else {
            guard !array.isFloatingPoint else { return nil }
            let (own, other) = (input.integerRange, array.integerRange)
            self = other.lowerBound >= own.lowerBound && other.upperBound <= own.upperBound ? .exact : .whereHeld
        }
    }
}

extension ElementType {
    /// Binary digits of a floating-point type's significand; nil for other types.
    fileprivate var digits: Int? {
        switch self {
        case .float64: 53
        case .float32: 24
        case .float16: 11
        case .bfloat16: 8
        default: nil
        }
    }

    fileprivate var isSigned: Bool { [.int4, .int8, .int16, .int32, .int64].contains(self) }

    /// Bits of the greatest magnitude of an integer type but for powers of two, which need one digit.
    fileprivate var integerBits: Int {
        switch self {
        case .bool: 1
        case .int4, .uint4: isSigned ? 3 : 4
        default: 8 * size - (isSigned ? 1 : 0)
        }
    }

    /// The integers of a type; truth values are 0 and 1.
    fileprivate var integerRange: ClosedRange<Int128> {
        let end = Int128(1) << Int128(integerBits)
        return (isSigned ? -end : 0)...(end - 1)
    }
}

extension Tensor {
    /// The index of the first integer that another integer type, or truth values, do not hold, and the integer.
    package func firstBeyond(_ type: ElementType) -> (index: Int, value: Int128)? {
        let range = type.integerRange
        func find<Integer: FixedWidthInteger & BitwiseCopyable>(_: Integer.Type) -> (index: Int, value: Int128)? {
            withUnsafeBytes { bytes in
                for index in 0..<count {
                    let value = Int128(
                        bytes.loadUnaligned(fromByteOffset: index * MemoryLayout<Integer>.size, as: Integer.self))
                    if !range.contains(value) { return (index, value) }
                }
                return nil
            }
        }
        return switch elementType {
        case .int8, .int4: find(Int8.self)
        case .int16: find(Int16.self)
        case .int32: find(Int32.self)
        case .int64: find(Int64.self)
        case .uint8, .uint4, .bool: find(UInt8.self)
        case .uint16: find(UInt16.self)
        case .uint32: find(UInt32.self)
        case .uint64: find(UInt64.self)
        case .float16, .bfloat16, .float32, .float64: nil
        }
    }

    /// The index of the first element that is NaN or infinite, and the element.
    package var firstNotFinite: (index: Int, value: Double)? {
        guard elementType.isFloatingPoint else { return nil }
        return converted(to: .float64).withUnsafeElements(as: Double.self) { elements in
            elements.firstIndex { !$0.isFinite }.map { ($0, elements[$0]) }
        }
    }
}
