import Nodes
import Operators
import Tensors

extension Graph {
    /// Finds where the samples lie in every value, and with it that no sample's values depend on another sample: then a batch
    /// may be computed in tiles of any size.
    ///
    /// The graph is specialized for several numbers of samples. What follows from shapes may differ between them only where it
    /// says extents; rows of a constant, one for each sample, must be equal.
    /// - Parameters:
    ///   - samples: shape of one sample by input, without the sample axis, which is the first axis of all inputs.
    ///   - batch: the most samples that are computed together, or belong together.
    /// - Returns: the position by name, of every value that depends on the samples.
    /// - Throws: `GraphError(.mixesSamples)` naming the first node that does not keep samples apart; what specialization throws.
    public func samplePositions(samples: [String: Shape], batch: Int) throws -> [String: SamplePosition] {
        // 67 is little to compute with, and more than most that a model might name.
        let counts = [2, 3, 67] + (batch > 67 ? [min(batch, 1 << 16)] : [])
        let useful = UsefulNodes(self)
        let graphs = try counts.map { count in
            try specialized(inputShapes: samples.mapValues { Shape([count] + $0.dimensions) }, of: useful)
        }
        let walks = graphs.indices.map {
            SampleWalk(graph: graphs[$0], samples: counts[$0], other: graphs[($0 + 1) % graphs.count])
        }
        let outputs = graphs[0].steps.map(\.node.outputs)
        guard graphs.allSatisfy({ $0.steps.map(\.node.outputs) == outputs }) else {
            throw GraphError(
                .mixesSamples, expected: "the same nodes for any number of samples", found: "other nodes for some")
        }
        var known = Dictionary(uniqueKeysWithValues: graphs[0].inputs.map { ($0, SamplePosition(axis: 0)) })
        known.reserveCapacity(graphs[0].types.count)
        for index in graphs[0].steps.indices {
            let step = graphs[0].steps[index]
            let positions = walks[0].positions(after: step, known)
            guard let positions,
                walks.indices.dropFirst().allSatisfy({
                    walks[$0].positions(after: graphs[$0].steps[index], known) == positions
                })
            else {
                throw GraphError(
                    .mixesSamples, at: step.node, expected: "a node that keeps samples apart",
                    found: "one whose result for a sample depends on others, or on how many there are")
            }
            for (name, position) in zip(step.node.outputs, positions) { known[name] = position }
        }
        return known
    }
}

/// One specialization on the way through its steps.
private struct SampleWalk {
    let graph: SpecializedGraph
    let samples: Int
    /// For another number of samples.
    let other: SpecializedGraph

    /// Of the outputs; nil where the step mixes samples, or may.
    /// - Parameter known: of the values before the step.
    func positions(
        after step: SpecializedGraph.Step, _ known: [String: SamplePosition]
    ) -> [SamplePosition]? {
        guard let rule = step.operator as? any SampleWiseOperator else { return nil }
        var inputs: [SampleInput?] = []
        for (index, name) in step.node.inputs.enumerated() {
            guard !name.isEmpty, let type = graph.types[name] else {
                inputs.append(nil)
                continue
            }
            let constant = graph.constants[name]
            let another = other.constants[name]
            var input = SampleInput(
                value: OperatorInput(name: name, type: type, constant: constant), position: known[name],
                isFixed: constant == another, another: another)
            if constant != nil, !input.isFixed, !rule.extentInputs.contains(index) {
                input.position = input.equalRows(samples: samples)
                if input.position == nil { return nil }
            }
            inputs.append(input)
        }
        let named = step.node.outputs.filter { !$0.isEmpty }
        let outputs = named.compactMap { graph.types[$0] }
        guard outputs.count == named.count, inputs.contains(where: { $0?.position != nil }),
            let position = (try? rule.samplePosition(inputs, outputs: outputs.map(\.shape), samples: samples)) ?? nil,
            outputs.allSatisfy({ position.fits($0.shape, samples: samples) })
        else { return nil }
        return step.node.outputs.map { _ in position }
    }
}

extension Tensor {
    /// Its parts along an axis, each with so many indices.
    func blocks(along axis: Int, of extent: Int) -> [Tensor] {
        var part = shape.dimensions
        part[axis] = extent
        let strides = shape.strides
        return stride(from: 0, to: shape[axis], by: max(extent, 1)).map {
            rearranged(shape: Shape(part), strides: strides, offset: $0 * strides[axis])
        }
    }
}
