import Support
import Tensors

/// How the row-major elements of a tensor meet its encodings: in runs of neighbouring elements, all of one length, that
/// either share an encoding or have one each.
public struct GridRuns: Equatable, Sendable {
    /// Elements of a run; nil for one encoding, where all elements are one run.
    private let runLength: Int?
    /// Encodings that the elements of a run have: one, or as many as there are elements, in order.
    public let gridsPerRun: Int
    /// Extents of the axes that runs go through, and how far one step along them moves in elements of that axis' encodings:
    /// the encoding of index i is `i / ratio * stride`.
    private let axes: [Axis]
    /// Encodings in all.
    public let gridCount: Int

    private struct Axis: Equatable, Sendable {
        var extent, ratio, stride: Int
    }

    /// For one encoding, of elements of any layout.
    public static let whole = GridRuns(runLength: nil, gridsPerRun: 1, axes: [], gridCount: 1)

    private init(runLength: Int?, gridsPerRun: Int, axes: [Axis], gridCount: Int) {
        self.runLength = runLength
        self.gridsPerRun = gridsPerRun
        self.axes = axes
        self.gridCount = gridCount
    }

    /// - Parameters:
    ///   - shape: of the tensor.
    ///   - grids: encodings along each axis; each divides the extent.
    public init(shape: Shape, grids: [Int]) {
        precondition(
            grids.count == shape.rank && zip(shape.dimensions, grids).allSatisfy { $1 > 0 && $0 % $1 == 0 },
            "\(grids) encodings of \(shape)")
        guard let last = grids.lastIndex(where: { $0 > 1 }) else {
            self = .whole
            return
        }
        var axes: [Axis] = []
        var stride = 1
        for (extent, count) in zip(shape.dimensions, grids).reversed() {
            axes.insert(Axis(extent: extent, ratio: max(extent / count, 1), stride: stride), at: 0)
            stride *= count
        }
        let inner = shape.dimensions[(last + 1)...].reduce(1, *)
        let length = shape[last] / grids[last] * inner
        if length == 1 {
            // Channels along the innermost axis: a run goes once through it.
            self.init(
                runLength: shape[last], gridsPerRun: shape[last], axes: Array(axes[..<last]), gridCount: stride)
        } else {
            axes[last].extent = grids[last]
            axes[last].ratio = 1
            self.init(runLength: length, gridsPerRun: 1, axes: Array(axes[...last]), gridCount: stride)
        }
    }

    /// - Parameter shape: of the tensors that the encodings are of; needed where there are several.
    /// - Throws: `QuantizationError(.lengthMismatch)` where there are several encodings and no axis, and where the shape does
    ///   not have as many channels and blocks.
    public init(_ encodings: TensorEncodings, shape: Shape?) throws(QuantizationError) {
        let count = encodings.encodings.count
        guard let axis = encodings.axis else {
            guard count == 1 || encodings.dataType == .float16 else {
                throw QuantizationError(.lengthMismatch, key: "axis", expected: "1", found: "\(count)")
            }
            self = .whole
            return
        }
        guard let shape else {
            guard count == 1 else {
                throw QuantizationError(.lengthMismatch, key: "axis \(axis)", expected: "1", found: "\(count)")
            }
            self = .whole
            return
        }
        let grids =
            encodings.blockGrids
            ?? shape.dimensions.indices.map { $0 == axis ? shape[axis] : 1 }
        guard axis < shape.rank, grids.count == shape.rank, grids.reduce(1, *) == count,
            zip(shape.dimensions, grids).allSatisfy({ $1 > 0 && $0 % $1 == 0 })
        else {
            throw QuantizationError(
                .lengthMismatch, key: "axis \(axis)", expected: "\(count)", found: "\(shape)")
        }
        self.init(shape: shape, grids: grids)
    }

    /// Elements of a run, of `count` in all.
    public func length(in count: Int) -> Int {
        guard let runLength else { return count }
        precondition(
            runLength == 0 || count.isMultiple(of: runLength), "\(count) elements in runs of \(runLength)")
        return runLength
    }

    /// The encodings of `count` elements, in order.
    public func gridOfEachElement(count: Int) -> [Int] {
        guard count > 0 else { return [] }
        let length = length(in: count)
        return (0..<count / length).flatMap { run in
            let first = firstGrid(ofRun: run)
            return gridsPerRun > 1 ? Array(first..<first + length) : [Int](repeating: first, count: length)
        }
    }

    /// What the elements of each encoding are.
    /// - Parameter elements: of a tensor of the shape, row-major.
    public func statistics(of elements: UnsafeBufferPointer<Float>) -> [TensorStatistics] {
        guard let start = elements.baseAddress, !elements.isEmpty else { return [] }
        let length = length(in: elements.count)
        // Where the runs of each encoding, or of the first of a run's, begin.
        var places: [Int: [Int]] = [:]
        for run in 0..<elements.count / length { places[firstGrid(ofRun: run), default: []].append(run * length) }
        let observer = Observer()
        // Elements before this one are done with, in whole pieces.
        var left = 0
        return places.sorted { $0.key < $1.key }.flatMap { _, runs in
            if gridsPerRun > 1 { return columnStatistics(start, runs, observer) }
            let statistics = runStatistics(start, runs, length, observer)
            let end = (runs.last ?? 0) + length
            if (end - left) * MemoryLayout<Float>.stride >= MappedFiles.piece {
                MappedFiles.letGo(of: UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: elements[left..<end])))
                left = end
            }
            return [statistics]
        }
    }

    private func runStatistics(
        _ start: UnsafePointer<Float>, _ runs: [Int], _ length: Int, _ observer: Observer
    ) -> TensorStatistics {
        let piece = MappedFiles.piece / MemoryLayout<Float>.stride
        observer.reset()
        for run in runs {
            for place in stride(from: run, to: run + length, by: piece) {
                let part = UnsafeBufferPointer(start: start + place, count: min(piece, run + length - place))
                observer.observe(start + place, count: part.count)
                if part.count == piece { MappedFiles.letGo(of: UnsafeRawBufferPointer(part)) }
            }
        }
        return observer.statistics()
    }

    /// Of runs whose elements have an encoding each: as many columns are gathered at a time as a piece of memory holds.
    private func columnStatistics(
        _ start: UnsafePointer<Float>, _ runs: [Int], _ observer: Observer
    ) -> [TensorStatistics] {
        let width = max(1, 8 * MappedFiles.piece / MemoryLayout<Float>.stride / runs.count)
        let rowsOfPiece = max(1, MappedFiles.piece / MemoryLayout<Float>.stride / gridsPerRun)
        return stride(from: 0, to: gridsPerRun, by: width).flatMap { first in
            let columns = first..<min(first + width, gridsPerRun)
            var gathered = [Float](repeating: 0, count: columns.count * runs.count)
            for (row, run) in runs.enumerated() {
                for (column, grid) in columns.enumerated() {
                    gathered[column * runs.count + row] = start[run + grid]
                }
                guard (row + 1).isMultiple(of: rowsOfPiece), row + 1 >= rowsOfPiece else { continue }
                let begin = start + runs[row + 1 - rowsOfPiece]
                let end = start + run + gridsPerRun
                if begin < end {
                    MappedFiles.letGo(of: UnsafeRawBufferPointer(UnsafeBufferPointer(start: begin, count: end - begin)))
                }
            }
            return gathered.withUnsafeBufferPointer { gathered in
                columns.indices.map { index in
                    observer.reset()
                    if let start = gathered.baseAddress {
                        observer.observe(start + (index - columns.lowerBound) * runs.count, count: runs.count)
                    }
                    return observer.statistics()
                }
            }
        }
    }

    /// The encoding of a run, or of its first element.
    public func firstGrid(ofRun run: Int) -> Int {
        var (rest, grid) = (run, 0)
        for axis in axes.reversed() {
            grid += rest % axis.extent / axis.ratio * axis.stride
            rest /= axis.extent
        }
        return grid
    }
}
