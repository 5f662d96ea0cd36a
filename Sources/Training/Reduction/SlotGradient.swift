/// Takes a slot's gradient tensor by tensor, as the backward pass finishes them, and hands it over in parts, rounded.
///
/// Tensors come in the order of the layout where that follows the backward pass; one that comes early waits. At most a part
/// and what waits is held. Belongs to one lane.
public struct SlotGradient {
    private let parts: GradientParts
    private let slot: Int
    /// Of the part that is being filled.
    private var elements: [Float] = []
    /// Elements taken so far.
    private var filled = 0
    /// By where they begin.
    private var early: [Int: [Float]] = [:]

    /// - Parameters:
    ///   - slot: from 0.
    ///   - parts: receive the gradient as it is filled.
    public init(of slot: Int, to parts: GradientParts) {
        self.parts = parts
        self.slot = slot
        elements.reserveCapacity(GradientParts.partSize)
    }

    /// Takes a stretch of the flat vector.
    /// - Throws: `TrainingError` with the flat index of the first element that is not finite or too large.
    public mutating func take(_ stretch: UnsafeBufferPointer<Float>, at start: Int) throws(TrainingError) {
        guard !stretch.isEmpty else { return }
        guard start == filled else {
            precondition(start > filled && early[start] == nil, "elements from \(start) on were taken twice")
            early[start] = Array(stretch)
            return
        }
        try append(stretch)
        while let next = early.removeValue(forKey: filled) {
            let result = next.withUnsafeBufferPointer { next in Result { () throws(TrainingError) in try append(next) }
            }
            try result.get()
        }
    }

    /// Takes zeros for all that has not come: of a slot without samples.
    public mutating func takeZeros() throws(TrainingError) {
        let zeros = [Float](repeating: 0, count: GradientParts.partSize)
        while filled < parts.count {
            let count = min(zeros.count, parts.count - filled)
            let result = zeros.withUnsafeBufferPointer { zeros in
                Result { () throws(TrainingError) in try append(UnsafeBufferPointer(rebasing: zeros[..<count])) }
            }
            try result.get()
        }
    }

    /// Whether every element has come.
    public var isWhole: Bool { filled == parts.count }

    private mutating func append(_ stretch: UnsafeBufferPointer<Float>) throws(TrainingError) {
        var rest = stretch[...]
        while !rest.isEmpty {
            let part = filled / GradientParts.partSize
            let size = parts.range(ofPart: part).count
            let taken = rest.prefix(size - elements.count)
            elements.append(contentsOf: taken)
            rest = rest.dropFirst(taken.count)
            filled += taken.count
            guard elements.count == size else { continue }
            // Before rounding, which must not see what is no number.
            if let refusal = Self.refusal(elements, part: part) { throw refusal }
            let result = elements.withUnsafeMutableBufferPointer { [parts, slot] elements in
                SlotRounding.round(elements, to: parts.precision)
                return Result { () throws(TrainingError) in
                    try parts.add(slot: slot, part: part, UnsafeBufferPointer(elements))
                }
            }
            try result.get()
            elements.removeAll(keepingCapacity: true)
        }
    }

    private static func refusal(_ elements: [Float], part: Int) -> TrainingError? {
        guard var error = ExactSum.refusal(of: elements) else { return nil }
        error.index = error.index.map { $0 + part * GradientParts.partSize }
        return error
    }
}
