import Nodes
import Operators
import Tensors

// Operators that are computed by their definitions.

extension BitCast: ElementOperator {}
extension ElementTest: ElementOperator {}
extension BitwiseFunction: BroadcastOperator {}

extension CastLike: SampleWiseOperator {
    /// The second input gives its type alone.
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        inputs.first??.position
    }
}

extension LinearQuantization: SampleWiseOperator {
    /// Scales are the same for all samples; those of a dynamic one follow from all of them.
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        guard !isDynamic, let position = inputs.ofFirst, inputs.count > 1, let scale = inputs[1]?.shape else {
            return nil
        }
        let axis = axis < 0 ? axis + outputs[0].rank : axis
        return scale.count == 1 || position.axis != axis && scale.rank == 1 ? position : nil
    }
}

extension BlockRearrangement: BatchedOperator {}
extension GroupedNormalization: BatchedOperator {}

extension LinearAttention: SampleWiseOperator {
    /// Sequences beside each other.
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        let given = inputs.compactMap { $0 }
        guard let position = given.first?.position, position.axis == 0,
            given.allSatisfy({ $0.position == position })
        else { return nil }
        return position
    }
}

extension TensorScatter: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        guard inputs.count >= 2, let position = inputs[0]?.position, position.axis == 0,
            inputs[1]?.position == position,
            inputs.dropFirst(2).allSatisfy({ $0 == nil || $0?.position == position })
        else { return nil }
        return position
    }
}

extension TransposedConvolution: BatchedOperator {}

extension Triangle: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        inputs.ofFirst.flatMap { $0.axis < outputs[0].rank - 2 ? $0 : nil }
    }
}

extension NormNormalization: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) throws -> SamplePosition? {
        let rank = outputs[0].rank
        let axes: [Int] =
            switch kind {
            case .norm(let axis, _): [try node.resolveAxis(axis, rank: rank)]
            case .rootMeanSquare(let axis, _): Array(try node.resolveAxis(axis, rank: rank)..<rank)
            case .meanAndVariance(let axes): try node.resolveAxes(axes, rank: rank)
            }
        return inputs.ofFirst.flatMap { axes.contains($0.axis) ? nil : $0 }
    }
}

extension Resize: SampleWiseOperator {
    package var extentInputs: Range<Int> { 1..<4 }

    /// The samples' axis keeps its places.
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) throws -> SamplePosition? {
        guard let position = inputs.ofFirst else { return nil }
        let own = try resampledAxes(inputs: inputs.values).first { $0.axis == position.axis }
        let keeps = own.map { $0.input == $0.output && $0.scale == 1 && $0.region.start == 0 && $0.region.end == 1 }
        return keeps == false ? nil : position
    }
}

extension IndexedGather: SampleWiseOperator {
    /// Judged here, where they differ with the number of samples.
    package var extentInputs: Range<Int> { 1..<2 }

    /// Of elements, where indices lie as the data does; of places, where samples are the first of the batch axes, or where each sample's
    /// places begin with its number, as masks are written that look up what a sample attends to.
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) throws -> SamplePosition? {
        guard inputs.count == 2, let data = inputs[0], var indices = inputs[1], let position = data.position else {
            return nil
        }
        if indices.value.constant != nil, !indices.isFixed {
            if node.opType == "GatherND", batchAxes == 0, position.isRows, let axis = indices.axisOfTuples() {
                return SamplePosition(axis: axis)
            }
            indices.position = indices.equalRows(samples: samples)
        }
        guard indices.position == position else { return nil }
        guard node.opType == "GatherElements" else { return batchAxes > 0 && position.isRows ? position : nil }
        return try node.resolveAxis(axis, rank: data.shape.rank) != position.axis ? position : nil
    }
}

extension Scatter: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) throws -> SamplePosition? {
        guard isOfElements, inputs.count == 3, let position = inputs[0]?.position,
            inputs.allSatisfy({ $0?.position == position })
        else { return nil }
        return try node.resolveAxis(axis, rank: outputs[0].rank) != position.axis ? position : nil
    }
}

extension ReverseSequence: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        guard inputs.count == 2, let position = inputs[0]?.position, position.axis == batchAxis,
            inputs[1]?.position == position.moved(to: 0)
        else { return nil }
        return position
    }
}

extension Recurrence: SampleWiseOperator {
    /// Sequences beside each other, with lengths and states of their own where these are given. The states have the samples
    /// elsewhere than the outputs, so that only one kind may be asked for.
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        let position = SamplePosition(axis: isBatchFirst ? 0 : 1)
        guard inputs.first??.position == position else { return nil }
        for (index, input) in inputs.enumerated().dropFirst() {
            let own = index == 4 ? SamplePosition(axis: 0) : index == 5 || index == 6 ? position : nil
            guard input?.position == nil || input?.position == own else { return nil }
        }
        if outputs.allSatisfy({ $0.rank == 3 }) { return position }
        return outputs.count == 1 ? SamplePosition(axis: isBatchFirst ? 0 : 2) : nil
    }
}

extension Einsum: SampleWiseOperator {
    /// Samples lie along an axis of one name in all inputs that have them, and in the output.
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) throws -> SamplePosition? {
        let (axes, output, extents) = try layout(inputs: inputs.values)
        let places = zip(inputs, axes).compactMap { input, axes in input?.position.map { (axes[$0.axis], $0) } }
        guard let (axis, position) = places.first, places.allSatisfy({ $0.0 == axis && $0.1.outer == position.outer }),
            places.allSatisfy({ $0.1.inner == position.inner }), let place = output.firstIndex(of: axis)
        else { return nil }
        // What does not depend on samples must not have their axis, and no input has it twice.
        for (input, own) in zip(inputs, axes) {
            let count = own.indices.count { own[$0] == axis && (input?.shape[$0] ?? 1) > 1 }
            if count > (input?.position == nil ? 0 : 1) { return nil }
        }
        return extents[axis].map { _ in position.moved(to: place) }
    }
}

// MARK: Along an axis

extension ExtremePlace: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) throws -> SamplePosition? {
        guard let position = inputs.ofFirst, let rank = inputs.first??.shape.rank else { return nil }
        let axis = try node.resolveAxis(axis, rank: rank)
        guard axis != position.axis else { return nil }
        return !keepsAxis && axis < position.axis ? position.moved(to: position.axis - 1) : position
    }
}

extension Accumulation: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) throws -> SamplePosition? {
        let axis = try axis(inputs: inputs.values)
        return inputs.ofFirst.flatMap { $0.axis == axis ? nil : $0 }
    }
}

extension Ranking: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) throws -> SamplePosition? {
        let axis = try node.resolveAxis(axis, rank: outputs[0].rank)
        return inputs.ofFirst.flatMap { $0.axis == axis ? nil : $0 }
    }
}

extension Hardmax: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) throws -> SamplePosition? {
        let axis = try node.resolveAxis(axis, rank: outputs[0].rank)
        return inputs.ofFirst.flatMap { (flattens ? $0.axis < axis : $0.axis != axis) ? $0 : nil }
    }
}

extension OneHot: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) throws -> SamplePosition? {
        let axis = try node.resolveAxis(axis, rank: outputs[0].rank)
        return inputs.ofFirst.map { $0.axis < axis ? $0 : $0.moved(to: $0.axis + 1) }
    }
}

extension ClassificationLoss: SampleWiseOperator {
    /// Losses that are not added up, of labels that have the samples where the scores have them.
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        guard reduction == .none, let position = inputs.first??.position, position.axis == 0,
            inputs.count > 1, inputs[1]?.position == position, inputs.dropFirst(2).allSatisfy({ $0?.position == nil })
        else { return nil }
        return position
    }
}
