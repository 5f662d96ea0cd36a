import Graph
import Nodes
import Operators
import Tensors
import Training

/// The batch norms of a training that compute with the statistics of their slot.
package struct BatchNormPlan: Codable, Equatable, Sendable {
    /// A batch norm.
    package struct Normalization: Codable, Equatable, Sendable {
        /// The node's output, which names it.
        package var output: String
        /// The constants that hold the running values.
        package var mean: String
        /// The constant of the running variance.
        package var variance: String
        /// Elements of mean and variance.
        package var channels: Int
        /// Added to a variance before its root is taken.
        package var epsilon: Float

        package init(output: String, mean: String, variance: String, channels: Int, epsilon: Float) {
            self.output = output
            self.mean = mean
            self.variance = variance
            self.channels = channels
            self.epsilon = epsilon
        }

        /// What a batch tells of it: its mean, its variance.
        package var entries: [(name: String, shape: Shape)] {
            [(mean, Shape([channels])), (variance, Shape([channels]))]
        }
    }

    /// In the graph's order.
    package var normalizations: [Normalization]
    /// How running values follow the statistics of slots.
    package var rule: RunningStatistics

    package init(normalizations: [Normalization], rule: RunningStatistics) {
        self.normalizations = normalizations
        self.rule = rule
    }

    /// What slots contribute to.
    package var entries: [(name: String, shape: Shape)] {
        normalizations.flatMap(\.entries)
    }
}

extension Graph {
    /// The batch norms whose running values are constants that nobody else uses.
    package var normalizations: [BatchNormPlan.Normalization] {
        let uses = ValueUses(self)
        return nodes.compactMap { node in
            guard node.opType == "BatchNormalization",
                let norm = try? KnownOperators.make(node: node, opsetVersion: opsetVersion) as? BatchNormalization,
                let mean = constants[node.inputs[3]], let variance = constants[node.inputs[4]],
                mean.elementType == .float32, variance.elementType == .float32, mean.shape == variance.shape,
                node.inputs[3] != node.inputs[4], uses.soleConsumer(of: node.inputs[3]) != nil,
                uses.soleConsumer(of: node.inputs[4]) != nil
            else { return nil }
            return BatchNormPlan.Normalization(
                output: node.outputs[0], mean: node.inputs[3], variance: node.inputs[4], channels: mean.shape.count,
                epsilon: norm.epsilon)
        }
    }

    /// Means and variances of batch norms: no gradient changes them.
    package var runningValues: Set<String> {
        Set(nodes.filter { $0.opType == "BatchNormalization" }.flatMap { $0.inputs.dropFirst(3) })
    }
}
