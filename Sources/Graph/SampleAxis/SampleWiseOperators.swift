import Nodes
import Operators
import Tensors

/// A node's input as the search for the samples sees it.
package struct SampleInput {
    package var value: OperatorInput
    /// Nil for what does not depend on samples.
    package var position: SamplePosition?
    /// Of a constant: whether it is the same for any number of samples.
    package var isFixed: Bool
    /// Of a constant: the one for another number of samples.
    package var another: Tensor?

    package var shape: Shape { value.type.shape }

    package init(value: OperatorInput, position: SamplePosition?, isFixed: Bool, another: Tensor? = nil) {
        (self.value, self.position, self.isFixed, self.another) = (value, position, isFixed, another)
    }

    /// The position of a constant that has the same elements for each sample, as a state of zeros has.
    func equalRows(samples: Int) -> SamplePosition? {
        guard let constant = value.constant, let another, another.elementType == constant.elementType,
            let axis = differingAxis, constant.shape[axis] % samples == 0
        else { return nil }
        let inner = constant.shape[axis] / samples
        let (own, others) = (constant.blocks(along: axis, of: inner), another.blocks(along: axis, of: inner))
        guard let first = own.first, own.allSatisfy({ $0 == first }), others.allSatisfy({ $0 == first }) else {
            return nil
        }
        return SamplePosition(axis: axis, inner: inner)
    }

    /// The only axis whose extent follows the number of samples.
    private var differingAxis: Int? {
        guard let constant = value.constant, let another, another.shape.rank == constant.shape.rank else { return nil }
        let differing = constant.shape.dimensions.indices.filter { constant.shape[$0] != another.shape[$0] }
        return differing.count == 1 ? differing[0] : nil
    }

    /// The axis along which a constant holds, for each sample, tuples that begin with the sample's number and are the same of every
    /// sample otherwise.
    func axisOfTuples() -> Int? {
        guard let constant = value.constant, let another, constant.elementType == .int64, another.elementType == .int64,
            let axis = differingAxis, let length = constant.shape.dimensions.last, length > 0,
            axis < constant.shape.rank - 1
        else { return nil }
        let tuples = [constant, another].map { table in
            table.blocks(along: axis, of: 1).enumerated().map { sample, part in
                part.elements(as: Int64.self).enumerated().map { $0 % length == 0 ? $1 - Int64(sample) : $1 }
            }
        }
        guard let own = tuples[0].first, stride(from: 0, to: own.count, by: length).allSatisfy({ own[$0] == 0 }),
            tuples.allSatisfy({ $0.allSatisfy { $0 == own } })
        else { return nil }
        return axis
    }

    /// The axis along which a constant names, for each sample, the same of that sample's own places.
    /// - Parameter extent: places of one sample.
    fileprivate func axisOfPlaces(extent: Int) -> Int? {
        guard let constant = value.constant, let another, constant.elementType == .int64, another.elementType == .int64,
            let axis = differingAxis, extent > 0
        else { return nil }
        let places = [constant, another].map { table in
            table.blocks(along: axis, of: 1).enumerated().map { sample, part in
                part.elements(as: Int64.self).map { $0 - Int64(sample * extent) }
            }
        }
        guard let own = places[0].first, own.allSatisfy({ (0..<Int64(extent)).contains($0) }),
            places.allSatisfy({ $0.allSatisfy { $0 == own } })
        else { return nil }
        return axis
    }
}

/// An operator that can keep samples apart: under which conditions, and where they lie in its outputs then. Operators that do
/// not conform are taken to mix samples.
package protocol SampleWiseOperator: Operator {
    /// Inputs that say extents or places and no elements, which may differ with the number of samples.
    var extentInputs: Range<Int> { get }

    /// - Parameters:
    ///   - inputs: at least one has a position.
    ///   - outputs: their shapes for so many samples.
    /// - Returns: the position in all outputs; nil where the operator mixes samples, or may.
    /// - Throws: what the operator finds wrong.
    func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) throws -> SamplePosition?
}

extension SampleWiseOperator {
    package var extentInputs: Range<Int> { 0..<0 }
}

extension [SampleInput?] {
    var values: [OperatorInput?] { map { $0?.value } }

    /// The position in the first input, where no other depends on samples.
    var ofFirst: SamplePosition? {
        dropFirst().contains { $0?.position != nil } ? nil : first??.position
    }

    /// Where inputs are broadcast: all lie at one place, and what does not depend on samples is the same for all of them.
    fileprivate func broadcast(to output: Shape) -> SamplePosition? {
        var found: SamplePosition?
        for case let (shape, position?) in compactMap({ $0 }).map({ ($0.shape, $0.position) }) {
            let aligned = position.moved(to: position.axis + output.rank - shape.rank)
            guard found == nil || found == aligned else { return nil }
            found = aligned
        }
        guard let found else { return nil }
        for case let input? in self where input.position == nil {
            let axis = found.axis - (output.rank - input.shape.rank)
            guard axis < 0 || input.shape[axis] == 1 else { return nil }
        }
        return found
    }
}

// MARK: Element by element

/// Operators whose output has the places of their first input.
package protocol ElementOperator: SampleWiseOperator {}

extension ElementOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        inputs.ofFirst
    }
}

extension Cast: ElementOperator {}
extension Clip: ElementOperator {}
extension ElementwiseUnary: ElementOperator {}

/// Operators whose inputs are broadcast.
package protocol BroadcastOperator: SampleWiseOperator {}

extension BroadcastOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        inputs.broadcast(to: outputs[0])
    }
}

extension Comparison: BroadcastOperator {}
extension ElementwiseBinary: BroadcastOperator {}
extension ElementwiseVariadic: BroadcastOperator {}
extension Selection: BroadcastOperator {}

// MARK: Images, whose first axis is the batch's in ONNX's own words

/// Operators that treat all indices of their first input's first axis alike.
package protocol BatchedOperator: SampleWiseOperator {}

extension BatchedOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        inputs.ofFirst.flatMap { $0.axis == 0 ? $0 : nil }
    }
}

extension BatchNormalization: BatchedOperator {}
extension Convolution: BatchedOperator {}
extension LocalResponseNormalization: BatchedOperator {}

extension Pooling: SampleWiseOperator {
    /// Channels are treated alike as well. The places of maxima are numbers among the elements of all samples.
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        outputs.count > 1 ? nil : inputs.ofFirst.flatMap { $0.axis < 2 ? $0 : nil }
    }
}

extension GlobalPooling: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        inputs.ofFirst.flatMap { $0.axis < 2 ? $0 : nil }
    }
}

// MARK: Products

extension GeneralMatrixProduct: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        guard inputs.count >= 2, let a = inputs[0], let b = inputs[1] else { return nil }
        var product: SamplePosition?
        switch (a.position, b.position) {
        case (let rows?, nil): product = rows.axis == (transposesA ? 1 : 0) ? rows.moved(to: 0) : nil
        case (nil, let columns?): product = columns.axis == (transposesB ? 0 : 1) ? columns.moved(to: 1) : nil
        default: return nil
        }
        guard let product else { return nil }
        let result = SampleInput(
            value: OperatorInput(name: "", type: ValueType(.float32, outputs[0]), constant: nil), position: product,
            isFixed: false)
        return [result, inputs.count > 2 ? inputs[2] : nil].broadcast(to: outputs[0])
    }
}

extension MatrixProduct: SampleWiseOperator {
    /// Along an axis of the batch of matrices, the rows of the left or the columns of the right.
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        guard inputs.count == 2, let a = inputs[0], let b = inputs[1] else { return nil }
        let output = outputs[0].rank
        // Axes counted from the end of the whole product, in which vectors are matrices.
        let rank = output + (a.shape.rank == 1 ? 1 : 0) + (b.shape.rank == 1 ? 1 : 0)
        func place(_ input: SampleInput) -> Int? {
            input.position.map { $0.axis + rank - max(input.shape.rank, 2) }
        }
        func isOne(_ input: SampleInput, at axis: Int) -> Bool {
            let own = axis - (rank - max(input.shape.rank, 2))
            return own < 0 || input.shape[own] == 1
        }
        if a.shape.rank == 1 || b.shape.rank == 1 {
            // A vector has no axis of samples that is kept; its partner's rows, columns or batch have.
            switch (a.position, b.position) {
            case (let rows?, nil) where a.shape.rank > 1 && rows.axis != a.shape.rank - 1: return rows
            case (nil, let columns?) where b.shape.rank > 1 && columns.axis != b.shape.rank - 2:
                return columns.moved(to: columns.axis == b.shape.rank - 1 ? columns.axis - 1 : columns.axis)
            default: return nil
            }
        }
        switch (place(a), place(b)) {
        case (let left?, nil):
            guard left != rank - 1, left == rank - 2 || isOne(b, at: left) else { return nil }
            return a.position?.moved(to: left)
        case (nil, let right?):
            guard right != rank - 2, right == rank - 1 || isOne(a, at: right) else { return nil }
            return b.position?.moved(to: right)
        case (let left?, let right?):
            guard left == right, left < rank - 2, a.position?.outer == b.position?.outer,
                a.position?.inner == b.position?.inner
            else { return nil }
            return a.position?.moved(to: left)
        default: return nil
        }
    }
}

// MARK: Along axes

extension LayerNormalization: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        inputs.ofFirst.flatMap { $0.axis < resolvedAxis(rank: outputs[0].rank) ? $0 : nil }
    }
}

extension Softmax: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        let axis = resolvedAxis(rank: outputs[0].rank)
        return inputs.ofFirst.flatMap { (flattens ? $0.axis < axis : $0.axis != axis) ? $0 : nil }
    }
}

extension Reduce: SampleWiseOperator {
    package var extentInputs: Range<Int> { 1..<2 }

    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) throws -> SamplePosition? {
        let reduced = try axes(inputs: inputs.values)
        guard let position = inputs.ofFirst, !reduced.contains(position.axis) else { return nil }
        return position.moved(to: position.axis - (keepsAxes ? 0 : reduced.count { $0 < position.axis }))
    }
}

extension Concat: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        guard let position = inputs.first??.position, inputs.allSatisfy({ $0?.position == position }),
            position.axis != resolvedAxis(rank: outputs[0].rank)
        else { return nil }
        return position
    }
}

extension Split: SampleWiseOperator {
    package var extentInputs: Range<Int> { 1..<2 }

    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        inputs.ofFirst.flatMap { $0.axis != resolvedAxis(rank: outputs[0].rank) ? $0 : nil }
    }
}

extension Slice: SampleWiseOperator {
    package var extentInputs: Range<Int> { 1..<5 }

    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) throws -> SamplePosition? {
        guard let position = inputs.ofFirst, let shape = inputs.first??.shape else { return nil }
        let range = try ranges(inputs: inputs.values)[position.axis]
        guard range.start == 0, range.step == 1, range.count == shape[position.axis] else { return nil }
        // A bound that happens to be beyond these samples is not beyond any number of them. Converters write 10^9 for the rest.
        guard let (start, end) = try givenBounds(along: position.axis, inputs: inputs.values) else { return position }
        guard start == 0, end >= 1_000_000_000 || (inputs.count > 2 && inputs[2]?.isFixed == false) else { return nil }
        return position
    }
}

extension Pad: SampleWiseOperator {
    package var extentInputs: Range<Int> { 1..<2 }

    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) throws -> SamplePosition? {
        let (begin, end) = try amounts(inputs: inputs.values)
        return inputs.ofFirst.flatMap { begin[$0.axis] == 0 && end[$0.axis] == 0 ? $0 : nil }
    }
}

extension Gather: SampleWiseOperator {
    /// Judged here: places may differ with the number of samples as long as each sample's are its own.
    package var extentInputs: Range<Int> { 1..<2 }

    /// The entries must be the same for any number of samples, or the data, as the table of an embedding; or, where a Reshape has
    /// merged the samples with other axes, the same of every sample, as a strided view's are.
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        guard inputs.count == 2, let data = inputs[0], let picked = inputs[1] else { return nil }
        let axis = resolvedAxis(rank: data.shape.rank)
        if data.position == nil, let position = picked.position { return position.moved(to: axis + position.axis) }
        guard let position = inputs.ofFirst else { return nil }
        if position.axis == axis {
            guard position.outer == 1, let place = picked.axisOfPlaces(extent: position.inner) else { return nil }
            return SamplePosition(axis: axis + place)
        }
        guard picked.value.constant == nil || picked.isFixed else { return nil }
        return position.axis < axis ? position : position.moved(to: position.axis - 1 + picked.shape.rank)
    }
}

extension Expand: SampleWiseOperator {
    package var extentInputs: Range<Int> { 1..<2 }

    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        guard let input = inputs.first ?? nil else { return nil }
        return inputs.ofFirst.map { $0.moved(to: $0.axis + outputs[0].rank - input.shape.rank) }
    }
}

extension Tile: SampleWiseOperator {
    package var extentInputs: Range<Int> { 1..<2 }

    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) throws -> SamplePosition? {
        let repeats = try repeats(inputs: inputs.values)
        return inputs.ofFirst.flatMap { repeats[$0.axis] == 1 ? $0 : nil }
    }
}

extension Transpose: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        inputs.ofFirst.flatMap { position in
            resolved(rank: outputs[0].rank).firstIndex(of: position.axis).map(position.moved)
        }
    }
}

extension Reshaping: SampleWiseOperator {
    package var extentInputs: Range<Int> { 1..<3 }

    /// The elements are, in order, `before` blocks of all samples with `after` neighbours of one; the output has an axis that
    /// begins and ends at multiples of these.
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        guard let position = inputs.ofFirst, let shape = inputs.first??.shape, shape.count > 0 else { return nil }
        let before = shape.dimensions[..<position.axis].reduce(position.outer, *)
        let after = shape.dimensions[(position.axis + 1)...].reduce(position.inner, *)
        var outside = 1
        for (axis, extent) in outputs[0].dimensions.enumerated() {
            let inside = outputs[0].dimensions[(axis + 1)...].reduce(1, *)
            if before % outside == 0, after % inside == 0,
                extent == before / outside * samples * (after / inside)
            {
                return SamplePosition(axis: axis, outer: before / outside, inner: after / inside)
            }
            outside *= extent
        }
        return nil
    }
}
