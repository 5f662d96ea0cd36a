import Graph
import Nodes
import Tensors

extension Graph {
    /// Takes from the bias of a set's first layer what all but a few of its values have at least, and gives it to the next layers'
    /// biases: with mean beta and standard deviation |gamma| of the layer's value, both over its scale, c = max(0, beta - 3 |gamma|),
    /// b1' = b1 - c and b2' = b2 + (sum of W2) c (Nagel et al. 2019, section 4.2.2). Behind a Relu that is the same for every value
    /// of at least c.
    ///
    /// A layer that pads sees zeros at the edges where it would have to see -c, so those are left as they are. (The reference goes
    /// on, and changes the function there; it also takes all of beta where no activation is in between, which narrows no range
    /// behind it, and is not done here.)
    mutating func absorbHighBiases(
        _ search: EqualizationSearch, _ scales: ChannelScales, _ folds: [BatchNormFolding.Fold]
    ) -> CrossLayerEqualization.BiasAbsorption {
        var absorption = CrossLayerEqualization.BiasAbsorption()
        let folds = Dictionary(folds.map { ($0.weight, $0) }) { first, _ in first }
        for (place, set) in search.sets.enumerated() {
            let first = search.layers[set.first]
            guard let fold = folds[first.weight], let bias = first.bias, let values = floats(bias),
                fold.mean.count == values.count
            else {
                absorption.setsWithoutStatistics += 1
                continue
            }
            let absorbed = zip(zip(fold.mean, fold.deviation), scales.ofSets[place]).map { statistics, scale in
                max(0, statistics.0 - 3 * statistics.1) / scale
            }
            let count = absorbed.count { $0 > 0 }
            guard count > 0 else { continue }
            let added = set.consumers.compactMap { shift(of: $0, search, by: absorbed) }
            guard added.count == set.consumers.count else {
                absorption.setsLeft += 1
                continue
            }
            constants[bias] = Tensor(shape: [values.count], zip(values, absorbed).map { Float(Double($0) - $1) })
            for (name, tensor) in added { constants[name] = tensor }
            absorption.channels += count
            absorption.sets += 1
        }
        return absorption
    }

    /// The bias of a layer for inputs that are less by a constant for each channel; nil where that is no matter of the bias alone.
    private func shift(
        of consumer: EqualizationSet.Consumer, _ search: EqualizationSearch, by absorbed: [Double]
    ) -> (name: String, bias: Tensor)? {
        let layer = search.layers[consumer.layer]
        guard consumer.passesShifts, layer.linear.absorbsShifts, let name = layer.bias, let bias = floats(name),
            let scaled = layer.linear.replacingWeight(constants[layer.weight])
        else { return nil }
        let sums = scaled.outputSums(weightedByInputChannel: absorbed.repeating(consumer.block))
        return (name, Tensor(shape: [bias.count], zip(bias, sums).map { Float(Double($0) + $1) }))
    }
}
