import Nodes
import Operators
import TensorFunctions
import Tensors

/// An operator whose output elements are elements of its first input: which, follows from shapes and the other inputs.
package protocol PickingRule: EvaluatedOperator {
    /// For each element of the output, row-major, the number of the input's element; negative for zero.
    /// - Parameter inputs: all but the first with `constant`.
    func sources(inputs: [OperatorInput?], types: [ValueType]) throws -> [Int]
}

extension PickingRule {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        [inputs.constants[0].picking(try sources(inputs: inputs, types: types), shape: types[0].shape)]
    }
}

extension IndexedGather: PickingRule {
    package func sources(inputs: [OperatorInput?], types: [ValueType]) throws -> [Int] {
        let (data, indices) = (try node.input(inputs, 0).type.shape, try node.input(inputs, 1))
        let picks = try node.constantInts(inputs, 1) ?? []
        var sources: [Int] = []
        sources.reserveCapacity(types[0].shape.count)
        if node.opType == "GatherElements" {
            let axis = try node.resolveAxis(axis, rank: data.rank)
            var positions: [[Int]] = []
            indices.type.shape.forEachPosition { positions.append($0) }
            for (position, pick) in zip(positions, picks) {
                var place = position
                place[axis] = try node.resolveIndex(pick, extent: data[axis], tensor: indices.name)
                sources.append(data.place(of: place))
            }
            return sources
        }
        let starts = try node.starts(picks, indices.type.shape, data, batchAxes: batchAxes, tensor: indices.name)
        for (start, extent) in starts { sources += start..<start + extent }
        return sources
    }
}

extension BlockRearrangement: PickingRule {
    package func sources(inputs: [OperatorInput?], types: [ValueType]) throws -> [Int] {
        let (input, output) = (try node.input(inputs, 0).type.shape, types[0].shape)
        let isToSpace = node.opType == "DepthToSpace"
        let channels = isToSpace ? output[1] : input[1]
        var sources: [Int] = []
        sources.reserveCapacity(output.count)
        output.forEachPosition { position in
            let (sample, channel, y, x) = (position[0], position[1], position[2], position[3])
            if isToSpace {
                let block = y % blockSize * blockSize + x % blockSize
                let depth = isDepthFirst ? block * channels + channel : channel * blockSize * blockSize + block
                sources.append(input.place(of: [sample, depth, y / blockSize, x / blockSize]))
            } else {
                let (block, plane) =
                    isDepthFirst
                    ? (channel / channels, channel % channels)
                    : (channel % (blockSize * blockSize), channel / (blockSize * blockSize))
                sources.append(
                    input.place(of: [
                        sample, plane, y * blockSize + block / blockSize, x * blockSize + block % blockSize,
                    ]))
            }
        }
        return sources
    }
}

extension Triangle: PickingRule {
    package func sources(inputs: [OperatorInput?], types: [ValueType]) throws -> [Int] {
        let shape = types[0].shape
        let diagonal = try node.constantInts(inputs, 1)?.first ?? 0
        let (rows, columns) = (shape[shape.rank - 2], shape[shape.rank - 1])
        return (0..<shape.count).map { index in
            let (row, column) = (index / max(columns, 1) % max(rows, 1), index % max(columns, 1))
            let (below, _) = (column - row).subtractingReportingOverflow(diagonal)
            return isUpper == (below >= 0) || below == 0 ? index : -1
        }
    }
}

extension ReverseSequence: PickingRule {
    package func sources(inputs: [OperatorInput?], types: [ValueType]) throws -> [Int] {
        let shape = types[0].shape
        let lengths = try node.constantInts(inputs, 1) ?? []
        if let wrong = lengths.first(where: { !(0...shape[timeAxis] ~= $0) }) {
            throw GraphError(
                .invalidInput, at: node, tensor: inputs[1]?.name, expected: "lengths up to \(shape[timeAxis])",
                found: "\(wrong)")
        }
        var sources: [Int] = []
        shape.forEachPosition { position in
            var place = position
            let length = lengths[position[batchAxis]]
            if position[timeAxis] < length { place[timeAxis] = length - 1 - position[timeAxis] }
            sources.append(shape.place(of: place))
        }
        return sources
    }
}

extension Pad: PickingRule {
    package func sources(inputs: [OperatorInput?], types: [ValueType]) throws -> [Int] {
        let begin = try amounts(inputs: inputs).begin
        let shape = try node.input(inputs, 0).type.shape
        let strides = shape.strides
        var sources: [Int] = []
        sources.reserveCapacity(types[0].shape.count)
        types[0].shape.forEachPosition { position in
            var index = 0
            for axis in position.indices where index >= 0 {
                let (offset, extent) = (position[axis] - begin[axis], shape[axis])
                let inside: Int
                switch mode {
                case _ where 0..<extent ~= offset: inside = offset
                case .constant:
                    index = -1
                    continue
                case .edge: inside = min(max(offset, 0), extent - 1)
                case .reflect: inside = offset < 0 ? -offset : 2 * (extent - 1) - offset
                case .wrap: inside = (offset % extent + extent) % extent
                }
                index += inside * strides[axis]
            }
            sources.append(index)
        }
        return sources
    }

    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        guard let data = inputs[0]?.constant else { return nil }
        let given = inputs.count > 2 ? inputs[2]?.constant : nil
        let fill = try (given ?? Tensor(scalar: value(inputs: Array(inputs.prefix(2))))).converted(to: data.elementType)
        return [data.picking(try sources(inputs: inputs, types: types), shape: types[0].shape, fill: fill)]
    }
}
