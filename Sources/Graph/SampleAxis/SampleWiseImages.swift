import Nodes
import Operators
import Tensors

// Operators on images and signals that are computed by their definitions.

extension [SampleInput?] {
    /// The first axis, where all of some inputs have the samples there and the others do not depend on samples.
    fileprivate func together(_ indices: Int...) -> SamplePosition? {
        guard let position = first??.position, position.axis == 0 else { return nil }
        for (index, input) in enumerated() where input != nil {
            guard input?.position == (indices.contains(index) ? position : nil) else { return nil }
        }
        return position
    }
}

extension GridSampling: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        inputs.together(0, 1)
    }
}

extension AffineGrid: SampleWiseOperator {
    package var extentInputs: Range<Int> { 1..<2 }

    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        inputs.together(0)
    }
}

extension DeformableConvolution: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        inputs.together(0, 2, 4)
    }
}

extension ColumnsToImage: BatchedOperator {}

extension NormPooling: SampleWiseOperator {
    /// Channels are treated alike as well.
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        inputs.ofFirst.flatMap { $0.axis < 2 ? $0 : nil }
    }
}

extension CenterCropPad: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) throws -> SamplePosition? {
        let axes = try resolvedAxes(rank: outputs[0].rank)
        return inputs.ofFirst.flatMap { axes.contains($0.axis) ? nil : $0 }
    }
}

extension Compression: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) throws -> SamplePosition? {
        guard let axis else { return nil }
        let taken = try node.resolveAxis(axis, rank: outputs[0].rank)
        return inputs.ofFirst.flatMap { $0.axis == taken ? nil : $0 }
    }
}

extension Determinant: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        inputs.ofFirst.flatMap { $0.axis < outputs[0].rank ? $0 : nil }
    }
}

extension DiscreteFourierTransform: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) throws -> SamplePosition? {
        let own = isShortTime ? 1 : try form(inputs: inputs.values).axis
        let last = (inputs.first??.shape.rank ?? 0) - 1
        return inputs.ofFirst.flatMap { [own, last].contains($0.axis) ? nil : $0 }
    }
}

extension SequenceCounts: SampleWiseOperator {
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        inputs.ofFirst.flatMap { outputs[0].rank == 2 && $0.axis == 0 ? $0 : nil }
    }
}
