import Tensors

extension Tensor {
    /// start, start + step, ... up to but without the limit, rounded after every operation as the element type does.
    /// - Parameters:
    ///   - operands: start, limit and step, one number each, of one type: a signed integer or a floating-point number of at
    ///     least 16 bits.
    ///   - maximumCount: numbers at most.
    /// - Returns: nil where there are more, or an operand is of another type or not below 2^53 in magnitude.
    package static func range(_ operands: [Tensor], maximumCount: Int) -> Tensor? {
        let type = operands[0].elementType
        switch type {
        case .int64: return numbers(operands, maximumCount, Int64.self, real: { Double($0) }, element: { Int64($0) })
        case .int32: return numbers(operands, maximumCount, Int32.self, real: { Double($0) }, element: { Int32($0) })
        case .float32: return numbers(operands, maximumCount, Float.self, real: { Double($0) }, element: { Float($0) })
        case .float64: return numbers(operands, maximumCount, Double.self, real: { $0 }, element: { Double($0) })
        case .int16, .float16, .bfloat16:
            let wide = operands.map { $0.converted(to: type == .int16 ? .int32 : .float32) }
            return range(wide, maximumCount: maximumCount)?.converted(to: type)
        default: return nil
        }
    }

    private static func numbers<Element: TensorElement & Numeric>(
        _ operands: [Tensor], _ maximumCount: Int, _: Element.Type, real: (Element) -> Double,
        element: (Int) -> Element
    ) -> Tensor? {
        let values = operands.map { $0.elements(as: Element.self)[0] }
        let (start, limit, step) = (real(values[0]), real(values[1]), real(values[2]))
        let count = ((limit - start) / step).rounded(.up)
        // Integers beyond 2^53 are not exact as doubles; no extent or index is that large.
        guard step != 0, count <= Double(maximumCount), [start, limit, step].allSatisfy({ $0.magnitude < 0x1p53 })
        else { return nil }
        let numbers = (0..<Int(max(count, 0))).map { values[0] + element($0) * values[2] }
        return Tensor(shape: [numbers.count], numbers)
    }
}
