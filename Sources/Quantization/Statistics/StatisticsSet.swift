import Foundation
import Support

/// What was observed of the tensors of a model, by name.
public struct StatisticsSet: Equatable, Sendable {
    /// By name.
    public var tensors: [String: TensorStatistics]

    /// - Parameter tensors: by name.
    public init(_ tensors: [String: TensorStatistics] = [:]) {
        self.tensors = tensors
    }

    /// Whether thousands of sets like this can be added up: no tensor was observed more than 2^48 times.
    public var isAddable: Bool { tensors.values.allSatisfy { $0.count <= 1 << 48 } }

    /// Adds what was observed elsewhere. Commutative and associative, exactly.
    public mutating func merge(_ other: StatisticsSet) {
        for (name, statistics) in other.tensors {
            tensors[name, default: TensorStatistics()].merge(statistics)
        }
    }
}

/// The binary form. Equal sets have equal bytes, and no other bytes are accepted:
///
///     set      = "QSST" version:byte tensors:varint tensor*                  names in ascending order of their bytes
///     tensor   = length:varint name count:varint zeros:varint nans:varint
///                positiveInfinities:varint negativeInfinities:varint [values] (values where other elements remain)
///     values   = least:float greatest:float run*
///     run      = 0 length:varint | count:varint                               empty bins | one bin
///
/// The exponent and the bins that the runs cover follow from the least and the greatest value.
extension StatisticsSet {
    private static let magic = Array("QSST".utf8) + [1]
    /// Counts are refused above this, so that merging what was decoded cannot overflow.
    private static let greatestCount: UInt64 = 1 << 56

    /// The binary form; equal sets have equal bytes.
    public func encoded() -> Data {
        var writer = ByteWriter()
        writer.append(Self.magic)
        writer.appendVarint(UInt64(tensors.count))
        let sorted = tensors.map { (name: Array($0.key.utf8), statistics: $0.value) }
            .sorted { $0.name.lexicographicallyPrecedes($1.name) }
        for (name, statistics) in sorted {
            writer.appendVarint(UInt64(name.count))
            writer.append(name)
            statistics.encode(into: &writer)
        }
        return writer.data
    }

    /// - Throws: `ByteCodingError` where the bytes are not exactly what `encoded` gives for some set.
    public init(decoding data: Data) throws(ByteCodingError) {
        var reader = ByteReader(data, record: "statistics")
        let magic = [UInt8](try reader.take(Self.magic.count))
        guard magic.dropLast() == Self.magic.dropLast() else {
            throw reader.error(.malformed, expected: "QSST")
        }
        guard magic == Self.magic else {
            throw reader.error(.unsupportedVersion, expected: "1", found: "\(magic[magic.count - 1])")
        }
        let count = try reader.takeVarint()
        var tensors: [String: TensorStatistics] = [:]
        var previous: [UInt8]?
        for _ in 0..<count {
            let length = try reader.takeVarint()
            let bytes = [UInt8](try reader.take(Int(clamping: length)))
            guard let name = String(validating: bytes, as: UTF8.self) else {
                throw reader.error(.malformed, expected: "UTF-8")
            }
            if let previous, !previous.lexicographicallyPrecedes(bytes) {
                throw reader.error(.malformed, expected: "names in ascending order", found: name)
            }
            previous = bytes
            // Names that differ in bytes can be equal as strings; such a set could not be encoded again.
            guard tensors.updateValue(try Self.decodeStatistics(&reader), forKey: name) == nil else {
                throw reader.error(.malformed, expected: "names that differ", found: name)
            }
        }
        try reader.finish()
        self.init(tensors)
    }

    private static func decodeStatistics(_ reader: inout ByteReader) throws(ByteCodingError) -> TensorStatistics {
        var statistics = TensorStatistics()
        statistics.count = try takeCount(&reader, atMost: greatestCount)
        var rest = statistics.count
        statistics.zeroCount = try takeCount(&reader, atMost: rest)
        rest -= statistics.zeroCount
        statistics.nanCount = try takeCount(&reader, atMost: rest)
        rest -= statistics.nanCount
        statistics.positiveInfinityCount = try takeCount(&reader, atMost: rest)
        rest -= statistics.positiveInfinityCount
        statistics.negativeInfinityCount = try takeCount(&reader, atMost: rest)
        rest -= statistics.negativeInfinityCount
        if rest > 0 { try decodeValues(of: &statistics, count: rest, &reader) }
        return statistics
    }

    private static func decodeValues(
        of statistics: inout TensorStatistics, count: UInt64, _ reader: inout ByteReader
    ) throws(ByteCodingError) {
        let least = try reader.takeFloat()
        let greatest = try reader.takeFloat()
        guard least.isFinite, greatest.isFinite, least != 0, greatest != 0, least <= greatest else {
            throw reader.error(.malformed, expected: "a range", found: "\(least), \(greatest)")
        }
        let exponent = Histogram.exponent(for: max(-least, greatest))
        let firstBin = Histogram.bin(of: least, exponent: exponent)
        let binCount = Histogram.bin(of: greatest, exponent: exponent) - firstBin + 1
        var counts: [UInt64] = []
        counts.reserveCapacity(binCount)
        var rest = count
        var afterGap = false
        while counts.count < binCount {
            let binTotal = try takeCount(&reader, atMost: rest)
            if binTotal == 0 {
                let gap = try takeCount(&reader, atMost: UInt64(binCount - counts.count))
                guard gap > 0, !afterGap else {
                    throw reader.error(.malformed, expected: "one run of empty bins")
                }
                counts.append(contentsOf: repeatElement(0, count: Int(gap)))
            } else {
                counts.append(binTotal)
                rest -= binTotal
            }
            afterGap = binTotal == 0
        }
        guard rest == 0, counts.first != 0, counts.last != 0 else {
            throw reader.error(.malformed, expected: "\(count) values", found: "\(count - rest)")
        }
        statistics.leastNonzero = least
        statistics.greatestNonzero = greatest
        statistics.histogram = Histogram(exponent: exponent, firstBin: firstBin, counts: counts)
    }

    private static func takeCount(
        _ reader: inout ByteReader, atMost limit: UInt64
    ) throws(ByteCodingError) -> UInt64 {
        let value = try reader.takeVarint()
        guard value <= limit else {
            throw reader.error(.malformed, expected: "at most \(limit)", found: "\(value)")
        }
        return value
    }
}

extension TensorStatistics {
    fileprivate func encode(into writer: inout ByteWriter) {
        for value in [count, zeroCount, nanCount, positiveInfinityCount, negativeInfinityCount] {
            writer.appendVarint(value)
        }
        guard let histogram, let leastNonzero, let greatestNonzero else { return }
        writer.append(leastNonzero)
        writer.append(greatestNonzero)
        var gap: UInt64 = 0
        for count in histogram.counts {
            if count == 0 {
                gap += 1
                continue
            }
            if gap > 0 {
                writer.appendVarint(0)
                writer.appendVarint(gap)
                gap = 0
            }
            writer.appendVarint(count)
        }
    }
}
