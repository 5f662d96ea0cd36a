import Graph
import Tensors

extension Graph {
    /// The extent of the first axis of the inputs, where the model was exported for a fixed number of samples.
    package var fixedBatch: Int? {
        for input in inputs {
            if case .fixed(let extent)? = input.dimensions?.first { return extent }
        }
        return nil
    }

    /// The graph for any number of samples, where it was exported for a fixed number only because an example had it: inputs
    /// with one sample or two give outputs with one row or two. Nil where they do not, as where a Reshape names the batch.
    /// - Parameters:
    ///   - samples: shape of one sample by input, without the batch axis.
    ///   - loss: an output that has one element for any number of samples.
    package func openingBatch(samples: [String: Shape], loss: String? = nil) -> Graph? {
        var open = self
        for index in open.inputs.indices { open.inputs[index].openFirstExtent() }
        for index in open.outputs.indices where open.outputs[index].name != loss {
            open.outputs[index].openFirstExtent()
        }
        let isOpen = [1, 2].allSatisfy { count in
            let shapes = samples.mapValues { Shape([count] + $0.dimensions) }
            guard let specialized = try? open.specialized(inputShapes: shapes) else { return false }
            return outputs.allSatisfy { output in
                let shape = specialized.types[output.name]?.shape
                return output.name == loss ? shape?.count == 1 : shape?.dimensions.first == count
            }
        }
        return isOpen ? open : nil
    }
}

extension ValueInfo {
    fileprivate mutating func openFirstExtent() {
        guard case .fixed? = dimensions?.first else { return }
        dimensions?[0] = .unknown
    }
}
