import Primitives
import Tensors

/// Where the element of a broadcast operand lies that belongs to an element of the full shape, both row-major.
struct BroadcastIndices {
    private let dimensions: [Int]
    private let strides: [Int]

    init(of operand: Shape, in full: Shape) {
        dimensions = full.dimensions
        let offset = full.rank - operand.rank
        let own = operand.strides
        strides = full.dimensions.indices.map { axis in
            axis < offset || operand[axis - offset] == 1 ? 0 : own[axis - offset]
        }
    }

    subscript(index: Int) -> Int {
        var (rest, result) = (index, 0)
        for axis in dimensions.indices.reversed() {
            result += rest % dimensions[axis] * strides[axis]
            rest /= dimensions[axis]
        }
        return result
    }
}

/// Walks a row-major tensor row by row beside one that is broadcast onto it.
struct BroadcastWalk {
    private let dimensions: [Int]
    /// Of the smaller tensor, in elements; zero along axes that are broadcast.
    private let strides: [Int]

    /// - Parameter small: of the same rank as `full`; each extent is that of `full` or 1.
    init(of small: Shape, in full: Shape) {
        dimensions = full.rank == 0 ? [1] : full.dimensions
        strides =
            full.rank == 0 ? [0] : full.dimensions.indices.map { small[$0] == full[$0] ? small.strides[$0] : 0 }
    }

    /// Calls `body` for each row in order with the offset of its first element in the full and in the smaller tensor, its
    /// length, and the distance of neighbours in the smaller tensor: 0 or 1.
    func rows(_ body: (_ full: Int, _ small: Int, _ count: Int, _ stride: Int) -> Void) {
        let last = dimensions.count - 1
        let count = dimensions[last]
        guard !dimensions.contains(0) else { return }
        var position = [Int](repeating: 0, count: last)
        var (full, small) = (0, 0)
        while true {
            body(full, small, count, strides[last])
            full += count
            var axis = last - 1
            while axis >= 0 {
                position[axis] += 1
                small += strides[axis]
                if position[axis] < dimensions[axis] { break }
                small -= strides[axis] * dimensions[axis]
                position[axis] = 0
                axis -= 1
            }
            if axis < 0 { return }
        }
    }
}

/// Sums over the axes along which a value was broadcast, and back.
extension GradientBuilder {
    /// The gradient summed over the axes along which a value of `shape` was broadcast onto it.
    func reduced(_ gradient: Operand, to shape: Shape) throws -> Operand {
        let full = gradient.layout.shape
        let target = try MemoryDescriptor(plain: shape)
        guard full != target.shape else { return gradient }
        guard full.count != shape.count else { return try reshaped(gradient, shape) }
        let aligned = Shape([Int](repeating: 1, count: full.rank - shape.rank) + shape.dimensions)
        if full.rank > 2, aligned == Shape(full.dimensions.prefix(2) + full.dimensions.dropFirst(2).map { _ in 1 }) {
            // In the layout at hand: sums over spatial axes are means times their count.
            let mean = try spatialMean(gradient)
            return try reshaped(scaled(mean, by: Float(full.count / shape.count)), shape)
        }
        let (source, sum) = (try plain(gradient), plan.allocate(target))
        let walk = BroadcastWalk(of: aligned, in: full)
        plan.emit([source, sum]) { pointers in
            pointers[1].update(repeating: 0, count: shape.count)
            walk.rows { full, small, count, stride in
                if stride == 0 {
                    var total: Float = 0
                    for index in 0..<count { total += pointers[0][full + index] }
                    pointers[1][small] += total
                } else {
                    for index in 0..<count { pointers[1][small + index] += pointers[0][full + index] }
                }
            }
        }
        return sum
    }

    /// The gradient, of a shape that broadcasts to `full`, times `factor` for each element of `full`.
    /// - Parameter layout: what is wanted of the result where that costs nothing.
    func spread(
        _ gradient: Operand, over full: Shape, times factor: Float = 1, preferring layout: MemoryDescriptor
    ) throws -> Operand {
        let small = gradient.layout.shape
        if small == full { return try scaled(gradient, by: factor) }
        let aligned = Shape([Int](repeating: 1, count: full.rank - small.rank) + small.dimensions)
        if full.rank > 2, aligned == Shape(full.dimensions.prefix(2) + full.dimensions.dropFirst(2).map { _ in 1 }) {
            let count = full.count / max(small.count, 1)
            return try spatialSpread(scaled(reshaped(gradient, aligned), by: factor * Float(count)), onto: layout)
        }
        let source = try plain(gradient)
        let target = plan.allocate(try MemoryDescriptor(plain: full))
        let walk = BroadcastWalk(of: aligned, in: full)
        plan.emit([source, target]) { pointers in
            walk.rows { full, small, count, stride in
                for index in 0..<count { pointers[1][full + index] = pointers[0][small + index * stride] * factor }
            }
        }
        return target
    }

    /// The mean over the spatial axes of `[batch, channels, spatial...]`, extents 1 kept.
    private func spatialMean(_ operand: Operand) throws -> Operand {
        let primitive = try Primitive.spatialMean(of: operand.layout, engine: plan.engine)
        let target = plan.allocate(try primitive.layout(.target))
        plan.emit(primitive, [(.source, operand), (.target, target)])
        return target
    }

    /// The gradient of `spatialMean` in `layout`: each element's share of the mean's gradient.
    private func spatialSpread(_ gradient: Operand, onto layout: MemoryDescriptor) throws -> Operand {
        let forward = try Primitive.spatialMean(of: layout, engine: plan.engine)
        let source = try converted(gradient, to: forward.layout(.target))
        return try pooled(source, forward: forward, workspace: nil, onto: layout)
    }

    /// The gradient of a pooling.
    /// - Parameters:
    ///   - gradient: in the layout of the pooling's output.
    ///   - workspace: of a maximum.
    ///   - layout: of the pooling's input.
    func pooled(
        _ gradient: Operand, forward: Primitive, workspace: Operand?, onto layout: MemoryDescriptor
    ) throws -> Operand {
        let primitive = try Primitive.poolingGradient(
            source: layout, target: gradient.layout, forward: forward, engine: plan.engine)
        let result = plan.allocate(layout)
        var arguments: [(argument: Argument, operand: Operand)] = [
            (.targetGradient, gradient), (.sourceGradient, result),
        ]
        if let workspace { arguments.append((.workspace, workspace)) }
        plan.emit(primitive, arguments)
        return result
    }
}
