import Datasets
import Foundation
import JobFile
import Tensors

/// The labels of a source's samples, and the samples that cannot be read, as far as some seconds go.
struct SampleCensus {
    private(set) var read = 0
    private(set) var bad = 0
    private(set) var unlabelled = 0
    /// Samples by class.
    private(set) var classes: [Int: Int] = [:]
    /// What the arrays of samples are, by name.
    private(set) var arrays: [String: ArrayCensus] = [:]
    /// The first bad sample.
    private(set) var firstBad: DatasetError?

    /// - Parameter seconds: after which no further sample is read.
    /// - Throws: what is wrong with the source, not with a sample.
    init(_ source: DatasetSource, seconds: Double) throws {
        let stream = try source.open()
        let end = Date().addingTimeInterval(seconds)
        while Date() < end {
            do {
                guard let sample = try stream.next() else { return }
                read += 1
                if case .arrays(let own) = sample.content {
                    for (name, array) in own { arrays[name, default: ArrayCensus()].add(array) }
                }
                if let label = sample.label { classes[label, default: 0] += 1 } else { unlabelled += 1 }
            } catch let error as DatasetError where error.isBadSample {
                read += 1
                bad += 1
                firstBad = firstBad ?? error
            }
        }
    }

    /// - Parameter taken: samples of the source in all.
    func lines(of taken: Int, policy: JobFile.BadSamplePolicy) -> [String] {
        var lines: [String] = []
        let part = read < taken ? " among the first \(read)" : ""
        if classes.isEmpty {
            lines.append("labels: none\(part), so there is no accuracy")
        } else {
            let counts = classes.sorted { $0.key < $1.key }
            let shown = counts.prefix(12).map { "class \($0.key): \($0.value)" }.joined(separator: ", ")
            lines.append("labels\(part): \(counts.count) classes, \(shown)\(counts.count > 12 ? ", ..." : "")")
            if unlabelled > 0 { lines.append("without a label\(part): \(unlabelled)") }
        }
        for (name, array) in arrays.sorted(by: { $0.key < $1.key }) {
            lines.append("array \(name)\(part): \(array.line)")
        }
        if let firstBad {
            let then = policy == .skip ? "are left out and counted" : "end the job; on_bad_sample: skip leaves them out"
            lines.append("bad samples\(part): \(bad), which \(then); the first is \(firstBad.key) of \(firstBad.file)")
        }
        return lines
    }
}

/// Types and shapes that the arrays of one name have.
struct ArrayCensus {
    /// Shapes that are told apart.
    private static let limit = 10_000

    private var types: Set<String> = []
    private var shapes: Set<[Int]> = []

    mutating func add(_ array: Tensor) {
        types.insert(array.elementType.rawValue)
        if shapes.count < Self.limit { shapes.insert(array.shape.dimensions) }
    }

    /// As "int64, 12 shapes from [3] to [40]".
    var line: String {
        let types = types.sorted().joined(separator: " and ")
        let sorted = shapes.sorted { ($0.reduce(1, *), $0.description) < ($1.reduce(1, *), $1.description) }
        guard let first = sorted.first, let last = sorted.last, first != last else {
            return "\(types) \(sorted.first.map { "\($0)" } ?? "")"
        }
        return "\(types), \(shapes.count) shapes from \(first) to \(last)"
    }
}
