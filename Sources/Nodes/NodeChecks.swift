import Tensors

/// Checks that the operators share. All throw a `GraphError` that names the node.
extension Node {
    /// - Parameter inputs: the lower bound counts the inputs that must be there, the upper bound those there may be.
    /// - Parameter outputs: how many outputs are computed; further ones may only be empty.
    /// - Parameter needsFirst: whether the first output must be there.
    package func checkArity(inputs range: ClosedRange<Int>, outputs limit: Int = 1, needsFirst: Bool = true) throws {
        let last = (inputs.lastIndex { !$0.isEmpty } ?? -1) + 1
        guard range.contains(last), !inputs.prefix(range.lowerBound).contains("") else {
            let expected =
                switch (range.lowerBound, range.upperBound) {
                case let (low, high) where low == high: "\(low) inputs"
                case (let low, Int.max): "at least \(low) inputs"
                case let (low, high): "\(low) to \(high) inputs"
                }
            throw GraphError(.invalidInput, at: self, expected: expected, found: "\(last) inputs")
        }
        guard needsFirst ? outputs.first?.isEmpty == false : outputs.contains(where: { !$0.isEmpty }) else {
            throw GraphError(.missingOutput, at: self, expected: "an output", found: "none")
        }
        if let extra = outputs.dropFirst(limit).first(where: { !$0.isEmpty }) {
            throw GraphError(
                .unsupportedOperators, at: self, tensor: extra, expected: "at most \(limit) outputs in use",
                found: "\(outputs.count)")
        }
    }

    /// The input at `index`, which must be there.
    package func input(_ inputs: [OperatorInput?], _ index: Int) throws -> OperatorInput {
        guard index < inputs.count, let input = inputs[index] else {
            throw GraphError(.invalidInput, at: self, expected: "input \(index)", found: "none")
        }
        return input
    }

    /// The input at `index`, with a rank in `rank`.
    package func input(_ inputs: [OperatorInput?], _ index: Int, rank: ClosedRange<Int>) throws -> OperatorInput {
        let input = try input(inputs, index)
        guard rank.contains(input.type.shape.rank) else {
            let expected =
                switch (rank.lowerBound, rank.upperBound) {
                case let (low, high) where low == high: "rank \(low)"
                case (let low, Int.max): "rank at least \(low)"
                case let (low, high): "rank \(low) to \(high)"
                }
            throw GraphError(
                .shapeMismatch, at: self, tensor: input.name, expected: expected, found: "\(input.type.shape)")
        }
        return input
    }

    /// The input at `index` or nil where it is absent.
    package func optional(_ inputs: [OperatorInput?], _ index: Int) -> OperatorInput? {
        index < inputs.count ? inputs[index] : nil
    }

    /// The value of an input that must be known before any sample is seen; nil where the input is absent.
    package func constant(_ inputs: [OperatorInput?], _ index: Int) throws -> Tensor? {
        guard let input = optional(inputs, index) else { return nil }
        guard let value = input.constant else {
            throw GraphError(
                .unknownParameter, at: self, tensor: input.name, expected: "a constant",
                found: "a value that depends on the samples")
        }
        return value
    }

    /// The integers of a constant input; nil where the input is absent.
    package func constantInts(_ inputs: [OperatorInput?], _ index: Int) throws -> [Int]? {
        guard let value = try constant(inputs, index) else { return nil }
        switch value.elementType {
        case .int64: return value.elements(as: Int64.self).map { Int($0) }
        case .int32: return value.elements(as: Int32.self).map { Int($0) }
        default:
            throw GraphError(
                .unsupportedElementType, at: self, tensor: inputs[index]?.name, expected: "int64 or int32",
                found: value.elementType.rawValue)
        }
    }

    /// Counts an axis from the front.
    /// - Parameter inclusive: `rank` itself is legal too (Flatten).
    package func resolveAxis(_ axis: Int, rank: Int, inclusive: Bool = false) throws -> Int {
        let upper = inclusive ? rank : rank - 1
        guard axis >= -rank, axis <= upper else {
            throw GraphError(.invalidAttribute, at: self, expected: "axis in \(-rank)...\(upper)", found: "\(axis)")
        }
        return axis < 0 ? axis + rank : axis
    }

    /// Counts axes from the front, sorted; refuses repetitions.
    package func resolveAxes(_ axes: [Int], rank: Int) throws -> [Int] {
        let resolved = try axes.map { try resolveAxis($0, rank: rank) }.sorted()
        guard Set(resolved).count == resolved.count else {
            throw GraphError(.invalidAttribute, at: self, expected: "axes that differ", found: "\(axes)")
        }
        return resolved
    }

    /// Broadcasts the types of all inputs, which must have one element type.
    package func broadcastType(_ inputs: [OperatorInput?]) throws -> ValueType {
        var result = try input(inputs, 0).type
        for index in inputs.indices.dropFirst() {
            let next = try input(inputs, index)
            guard next.type.elementType == result.elementType else {
                throw GraphError(
                    .unsupportedElementType, at: self, tensor: next.name, expected: result.elementType.rawValue,
                    found: next.type.elementType.rawValue)
            }
            guard let shape = Shape.broadcast(result.shape, next.type.shape) else {
                throw GraphError(
                    .shapeMismatch, at: self, tensor: next.name,
                    expected: "a shape that broadcasts with \(result.shape)",
                    found: "\(next.type.shape)")
            }
            result.shape = shape
        }
        return result
    }

    /// Checks that all inputs there are have the first one's element type.
    package func checkOneElementType(_ inputs: [OperatorInput?]) throws {
        let expected = try input(inputs, 0).type.elementType
        for case let other? in inputs.dropFirst() where other.type.elementType != expected {
            throw GraphError(
                .unsupportedElementType, at: self, tensor: other.name, expected: expected.rawValue,
                found: other.type.elementType.rawValue)
        }
    }

    /// A shape whose extents are named freely, by constants or attributes: a few bytes of a file must not ask for any
    /// amount of memory.
    /// - Throws: `GraphError` where there are more than 2^26 elements.
    package func moderateShape(_ extents: [Int], tensor: String?) throws -> Shape {
        var count = 1
        for extent in extents {
            let (product, overflow) = count.multipliedReportingOverflow(by: extent)
            guard extent >= 0, !overflow, product <= 1 << 26 else {
                throw GraphError(
                    .invalidInput, at: self, tensor: tensor, expected: "extents of at most \(1 << 26) elements",
                    found: "\(extents)")
            }
            count = product
        }
        return Shape(extents)
    }

    /// Checks that an input has one element for each channel.
    package func checkPerChannel(_ inputs: [OperatorInput?], _ index: Int, channels: Int) throws {
        guard let input = optional(inputs, index) else { return }
        guard input.type.shape == [channels] else {
            throw GraphError(
                .shapeMismatch, at: self, tensor: input.name, expected: "[\(channels)]", found: "\(input.type.shape)")
        }
    }
}

extension Shape {
    /// The shape that numpy's broadcasting gives, or nil where the shapes do not fit.
    public static func broadcast(_ left: Shape, _ right: Shape) -> Shape? {
        let rank = max(left.rank, right.rank)
        var extents = [Int](repeating: 1, count: rank)
        for axis in 0..<rank {
            let a = axis - (rank - left.rank)
            let b = axis - (rank - right.rank)
            let (x, y) = (a < 0 ? 1 : left[a], b < 0 ? 1 : right[b])
            guard x == y || x == 1 || y == 1 else { return nil }
            extents[axis] = x == 1 ? y : x
        }
        return Shape(extents)
    }
}
