import Graph
import Nodes
import Tensors

/// Scales the channels between layers so that weights have ranges which are alike, after Nagel et al., "Data-Free Quantization
/// Through Weight Equalization and Bias Correction" (2019), sections 4.1 and 4.2; as AIMET, it makes Clip with a lower bound of 0
/// a Relu where layers are scaled across it, which changes the function. All else changes no more than rounding does, but for
/// biases that are absorbed, as far as values lie more than three standard deviations below their mean.
public enum CrossLayerEqualization {
    /// What was done to a graph.
    public struct Outcome: Sendable {
        /// With other weights and biases, and no other names.
        public var graph: Graph
        /// In the order of their first layers.
        public var sets: [ScaledSet]
        /// How often the sets were gone over.
        public var rounds: Int
        /// Whether nothing changed in the last round, or there was none.
        public var isSettled: Bool
        /// Names of Clip nodes that are Relu now, in order of the graph.
        public var replacedClips: [String]
        /// Batch norms that the graph still has: no scale gets through them.
        public var batchNorms: Int
        /// What became of high biases.
        public var absorption: BiasAbsorption

        /// Whether the function is the same but for rounding.
        public var keepsFunction: Bool { replacedClips.isEmpty && absorption.channels == 0 }
    }

    /// Layers whose channels were scaled together.
    public struct ScaledSet: Equatable, Sendable {
        /// Names of the nodes: the layer whose outputs are scaled, and those whose inputs are.
        public var layers: [String]
        /// In all.
        public var channels: Int
        /// Those that have a scale other than 1.
        public var scaledChannels: Int
        /// Those whose weights are as good as zero beside their bias, which keep their scale.
        public var constantChannels: Int
        /// The largest range of a channel over the smallest above 0, on whichever side of the set this is more.
        public var ratioBefore: Double
        /// The same, scaled.
        public var ratioAfter: Double
    }

    /// What became of biases so high that no value is cut off behind them.
    public struct BiasAbsorption: Equatable, Sendable {
        /// Channels a part of whose bias is in the next layers' biases now.
        public var channels = 0
        /// Sets of which some channel is such.
        public var sets = 0
        /// Sets whose first layer had no batch norm that was folded, so that what its values are is not known.
        public var setsWithoutStatistics = 0
        /// Sets with such a bias where the next layer pads, has no bias, or no Relu is in between.
        public var setsLeft = 0

        /// Nothing.
        public init() {}
    }

    /// Scales all sets that a graph has: a layer whose value goes to other layers alone, through Relu, LeakyRelu, PRelu, poolings,
    /// Pad and the like (`ChannelPath`). Left alone are layers whose weight or bias has other users or is no constant.
    /// - Parameters:
    ///   - folds: batch norms that were folded, which say what is known of values.
    ///   - kept: names of values and constants that have to stay what they are, as those whose grids are known.
    public static func equalize(
        _ graph: Graph, folds: [BatchNormFolding.Fold] = [], keeping kept: Set<String> = []
    ) -> Outcome {
        let search = EqualizationSearch(graph, keeping: kept)
        var scales = ChannelScales(search)
        let before = search.sets.indices.map { scales.ranges(of: $0) }
        if !search.sets.isEmpty { scales.converge() }

        var scaled = graph
        scaled.apply(scales, to: search)
        let sets = search.sets.enumerated().map { place, set in
            ScaledSet(
                layers: ([set.first] + set.consumers.map(\.layer)).map { search.layers[$0].name },
                channels: scales.ofSets[place].count, scaledChannels: scales.ofSets[place].count { $0 != 1 },
                constantChannels: scales.constantChannels[place].count,
                ratioBefore: ratio(before[place]), ratioAfter: ratio(scales.ranges(of: place)))
        }
        let clips = Set(search.sets.flatMap(\.clips)).sorted()
        for index in clips {
            scaled.nodes[index].opType = "Relu"
            scaled.nodes[index].inputs = [scaled.nodes[index].inputs[0]]
            scaled.nodes[index].attributes = [:]
        }
        scaled.dropUnusedConstants(of: clips.flatMap { graph.nodes[$0].inputs.dropFirst() })
        let absorption = scaled.absorbHighBiases(search, scales, folds)
        return Outcome(
            graph: scaled, sets: sets, rounds: scales.rounds,
            isSettled: search.sets.isEmpty || scales.isSettled, replacedClips: clips.map { graph.nodes[$0].name },
            batchNorms: graph.nodes.count { $0.opType == "BatchNormalization" }, absorption: absorption)
    }

    private static func ratio(_ ranges: (outputs: [Double], inputs: [Double])) -> Double {
        func ratio(_ ranges: [Double]) -> Double {
            let own = ranges.filter { $0 > 0 }
            guard let largest = own.max(), let smallest = own.min() else { return 1 }
            return largest / smallest
        }
        return max(ratio(ranges.outputs), ratio(ranges.inputs))
    }
}

extension Graph {
    /// Multiplies and divides weights and biases, each rounded once: with scales s1 in front of a layer and s2 behind it,
    /// W' = W s1 / s2 and b' = b / s2.
    fileprivate mutating func apply(_ scales: ChannelScales, to search: EqualizationSearch) {
        var outputs: [Int: [Double]] = [:]
        var inputs: [Int: [Double]] = [:]
        for (place, set) in search.sets.enumerated() {
            outputs[set.first] = scales.ofSets[place].map { 1 / $0 }
            for consumer in set.consumers {
                inputs[consumer.layer] = scales.ofSets[place].repeating(consumer.block)
            }
        }
        for layer in Set(outputs.keys).union(inputs.keys) {
            let own = search.layers[layer]
            let ones = [Double](repeating: 1, count: max(own.linear.outputChannels, own.linear.inputChannels))
            constants[own.weight] = own.linear.weight(
                scaledByOutputChannel: outputs[layer] ?? ones, inputChannel: inputs[layer] ?? ones)
            if let name = own.bias, let bias = own.linear.bias, let factors = outputs[layer] {
                constants[name] = Tensor(
                    shape: [bias.count], zip(bias, factors).map { Float(Double($0) * $1) })
            }
        }
    }

    fileprivate mutating func dropUnusedConstants(of names: [String]) {
        guard !names.isEmpty else { return }
        let uses = ValueUses(self)
        for name in names where !uses.isUsed(name) { constants[name] = nil }
    }
}

extension [Double] {
    /// Each element so many times in a row.
    func repeating(_ count: Int) -> [Double] {
        count == 1 ? self : flatMap { [Double](repeating: $0, count: count) }
    }
}
