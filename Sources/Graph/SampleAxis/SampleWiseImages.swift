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

extension NormPooling: SampleWiseOperator {
    /// Channels are treated alike as well.
    package func samplePosition(_ inputs: [SampleInput?], outputs: [Shape], samples: Int) -> SamplePosition? {
        inputs.ofFirst.flatMap { $0.axis < 2 ? $0 : nil }
    }
}
