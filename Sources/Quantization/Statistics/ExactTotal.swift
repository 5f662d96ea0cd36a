/// A sum of doubles that are finite and not negative, without any rounding: an integer in units of 2^-1074 that holds every
/// double and 2^64 addends. So it is the same bits for any order and any grouping of the addends.
public struct ExactTotal: Equatable, Sendable {
    /// 2^1024 times 2^64 in units of 2^-1074, in words of 64 bits.
    static let wordCount = 34
    /// Low word first.
    private var words = [UInt64](repeating: 0, count: wordCount)

    /// The sum of nothing.
    public init() {}

    /// - Precondition: finite and not negative.
    public mutating func add(_ value: Double) {
        precondition(value.isFinite && value >= 0, "\(value) cannot be added up")
        // value = significand * 2^(place - 1074)
        let isNormal = value.exponentBitPattern > 0
        let significand = value.significandBitPattern | (isNormal ? 1 << 52 : 0)
        let place = isNormal ? Int(value.exponentBitPattern) - 1 : 0
        let (word, shift) = place.quotientAndRemainder(dividingBy: 64)
        add(significand << UInt64(shift), at: word)
        if shift > 0 { add(significand >> UInt64(64 - shift), at: word + 1) }
    }

    /// Adds what was added elsewhere. Commutative and associative, exactly.
    public mutating func merge(_ other: ExactTotal) {
        for (word, addend) in other.words.enumerated() where addend > 0 { add(addend, at: word) }
    }

    private mutating func add(_ addend: UInt64, at word: Int) {
        var (word, carry) = (word, addend)
        while carry > 0, word < Self.wordCount {
            let (sum, overflow) = words[word].addingReportingOverflow(carry)
            words[word] = sum
            carry = overflow ? 1 : 0
            word += 1
        }
    }

    /// The nearest double, ties to even; infinite where none is near.
    public var value: Double {
        guard let top = words.lastIndex(where: { $0 > 0 }) else { return 0 }
        let length = 64 * top + 64 - words[top].leadingZeroBitCount
        guard length > 53 else { return Double(sign: .plus, exponent: -1074, significand: Double(words[0])) }
        let dropped = length - 53
        var kept = bits(from: dropped, count: 53)
        let isHalfOrMore = bits(from: dropped - 1, count: 1) == 1
        let isMore = (0..<dropped - 1).contains { words[$0 / 64] >> UInt64($0 % 64) & 1 == 1 }
        if isHalfOrMore, isMore || kept & 1 == 1 { kept += 1 }
        return Double(sign: .plus, exponent: dropped - 1074, significand: Double(kept))
    }

    private func bits(from place: Int, count: Int) -> UInt64 {
        let (word, shift) = place.quotientAndRemainder(dividingBy: 64)
        var found = words[word] >> UInt64(shift)
        if shift > 0, word + 1 < Self.wordCount { found |= words[word + 1] << UInt64(64 - shift) }
        return found & (1 << UInt64(count) - 1)
    }
}

extension ExactTotal: Codable {
    private enum CodingKeys: String, CodingKey { case first, words }

    /// The words that are not zero, and those between.
    public func encode(to encoder: any Encoder) throws {
        var container = encoder.container(keyedBy: CodingKeys.self)
        let first = words.firstIndex { $0 > 0 } ?? 0
        let end = (words.lastIndex { $0 > 0 } ?? -1) + 1
        try container.encode(first, forKey: .first)
        try container.encode(Array(words[first..<max(first, end)]), forKey: .words)
    }

    /// - Throws: `DecodingError` for words that lie beyond the sum.
    public init(from decoder: any Decoder) throws {
        let container = try decoder.container(keyedBy: CodingKeys.self)
        let first = try container.decode(Int.self, forKey: .first)
        let decoded = try container.decode([UInt64].self, forKey: .words)
        guard (0...Self.wordCount).contains(first), decoded.count <= Self.wordCount - first else {
            throw DecodingError.dataCorruptedError(
                forKey: .words, in: container, debugDescription: "\(decoded.count) words from \(first) on")
        }
        words.replaceSubrange(first..<first + decoded.count, with: decoded)
    }
}
