/// What was observed of a tensor: integers and extremes that are the same bits for every order of the values and every
/// split of them into parts that are merged.
public struct TensorStatistics: Equatable, Sendable {
    /// All elements, whatever they are.
    public internal(set) var count: UInt64 = 0
    /// Elements that are +0 or -0.
    public internal(set) var zeroCount: UInt64 = 0
    /// Elements that are NaN.
    public internal(set) var nanCount: UInt64 = 0
    /// Elements that are infinite, by sign.
    public internal(set) var positiveInfinityCount: UInt64 = 0
    /// Elements that are minus infinity.
    public internal(set) var negativeInfinityCount: UInt64 = 0
    /// Finite elements other than zero; nil when there is none. The three go together.
    public internal(set) var histogram: Histogram?
    /// The ends of the finite elements other than zero.
    package internal(set) var leastNonzero: Float?
    /// The greatest finite element other than zero; nil when there is none.
    package internal(set) var greatestNonzero: Float?

    /// Of no elements.
    public init() {}

    /// Whether nothing was observed.
    public var isEmpty: Bool { count == 0 }

    /// Infinite elements of either sign.
    public var infinityCount: UInt64 { positiveInfinityCount + negativeInfinityCount }

    /// Elements that are neither NaN nor infinite.
    public var finiteCount: UInt64 { count - nanCount - infinityCount }

    /// The least finite element; nil when there is none.
    public var minimum: Float? {
        guard let leastNonzero else { return zeroCount > 0 ? 0 : nil }
        return zeroCount > 0 ? min(leastNonzero, 0) : leastNonzero
    }

    /// The greatest finite element; nil when there is none.
    public var maximum: Float? {
        guard let greatestNonzero else { return zeroCount > 0 ? 0 : nil }
        return zeroCount > 0 ? max(greatestNonzero, 0) : greatestNonzero
    }

    /// Adds what was observed elsewhere of the same tensor. Commutative and associative, exactly.
    public mutating func merge(_ other: TensorStatistics) {
        count += other.count
        zeroCount += other.zeroCount
        nanCount += other.nanCount
        positiveInfinityCount += other.positiveInfinityCount
        negativeInfinityCount += other.negativeInfinityCount
        guard let theirs = other.histogram, let least = other.leastNonzero, let greatest = other.greatestNonzero else {
            return
        }
        guard histogram != nil, let ownLeast = leastNonzero, let ownGreatest = greatestNonzero else {
            (histogram, leastNonzero, greatestNonzero) = (theirs, least, greatest)
            return
        }
        leastNonzero = min(ownLeast, least)
        greatestNonzero = max(ownGreatest, greatest)
        histogram?.merge(theirs)
    }
}
