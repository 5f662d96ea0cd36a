import Tensors

/// The scales that bring the ranges of channels together, found on the largest magnitudes of kernels: weights are scaled, and
/// rounded, once in the end.
///
/// Formulas are those of Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction" (2019). With r the
/// largest magnitude of a channel's weights, a pair of layers takes s = r1 / sqrt(r1 r2), and a layer, a depthwise convolution and
/// what follows it take s12 = r1 / (r1 r2 r3)^(1/3) and s23 = (r1 r2 r3)^(1/3) / r3. After it, both or all three ranges are the
/// same. A layer that is in two sets loses that for the first where the second is scaled, so all sets are gone over again, in
/// order, until no channel changes by more than a ten thousandth, as the paper has it. (The reference goes over them once.)
struct ChannelScales {
    /// Scale of each channel, by set.
    private(set) var ofSets: [[Double]]
    /// How often all sets were gone over.
    private(set) var rounds = 0
    /// Whether nothing changed in the last round.
    private(set) var isSettled = false

    /// Channels that keep their scale, by set: the weights of their outputs are as good as zero beside the bias, which would be
    /// made as large as the weights are made. (The reference scales them; a bias above 0 then widens the range of the layer's
    /// value by as much.)
    private(set) var constantChannels: [Set<Int>] = []

    private let sets: [EqualizationSet]
    private var units: [Unit] = []
    /// Those of layers that are in a set, by layer.
    private var kernels: [Int: KernelMagnitudes] = [:]
    /// The set that a layer is the first of.
    private var following: [Int: Int] = [:]
    /// The set that a layer is a consumer of.
    private var leading: [Int: Int] = [:]

    /// What is scaled at once.
    private enum Unit {
        case pair(Int)
        /// The sets in front of a depthwise layer and behind it.
        case triple(Int, Int)
    }

    /// Some sets lie on rings of layers, or in chains so long that a change takes many rounds to get through.
    private static let maximumRounds = 100
    private static let tolerance = 1e-4
    /// A bias so many times the largest weight of its channel is all that the channel is.
    private static let largestBias = 1024.0

    init(_ search: EqualizationSearch) {
        sets = search.sets
        ofSets = sets.map { [Double](repeating: 1, count: search.layers[$0.first].linear.outputChannels) }
        for (place, set) in sets.enumerated() {
            following[set.first] = place
            for consumer in set.consumers {
                leading[consumer.layer] = place
                kernels[consumer.layer] = KernelMagnitudes(search.layers[consumer.layer].linear, block: consumer.block)
            }
        }
        for set in sets where kernels[set.first] == nil {
            kernels[set.first] = KernelMagnitudes(search.layers[set.first].linear, block: 1)
        }
        constantChannels = sets.map { set in
            guard let bias = search.layers[set.first].linear.bias else { return [] }
            let ranges = (kernels[set.first] ?? KernelMagnitudes()).outputRanges((nil, nil))
            return Set(bias.indices.filter { Double(bias[$0].magnitude) > Self.largestBias * ranges[$0] })
        }
        var taken: Set<Int> = []
        for (place, set) in sets.enumerated() where !taken.contains(place) {
            if set.consumers.count == 1, let middle = set.consumers.first?.layer,
                search.layers[middle].linear.isDepthwise, let next = following[middle], !taken.contains(next)
            {
                units.append(.triple(place, next))
                taken.formUnion([place, next])
            } else {
                units.append(.pair(place))
            }
        }
    }

    /// Goes over all sets until nothing changes.
    mutating func converge() {
        while rounds < Self.maximumRounds {
            rounds += 1
            isSettled = units.map { scale($0) }.max() ?? 0 < Self.tolerance
            if isSettled { return }
        }
    }

    /// Ranges of a set's channels with the scales as they are: of the first layer's outputs, and the largest of the consumers'
    /// inputs.
    func ranges(of place: Int) -> (outputs: [Double], inputs: [Double]) {
        let set = sets[place]
        let outputs = (kernels[set.first] ?? KernelMagnitudes()).outputRanges(factors(set.first))
        var inputs = [Double](repeating: 0, count: outputs.count)
        for consumer in set.consumers {
            let own = (kernels[consumer.layer] ?? KernelMagnitudes()).inputRanges(factors(consumer.layer))
            for channel in inputs.indices { inputs[channel] = max(inputs[channel], own[channel]) }
        }
        return (outputs, inputs)
    }

    /// What a layer's weights are divided by for each output, and multiplied by for each input; nil where by nothing.
    private func factors(_ layer: Int) -> (outputs: [Double]?, inputs: [Double]?) {
        (following[layer].map { ofSets[$0] }, leading[layer].map { ofSets[$0] })
    }

    /// - Returns: how much the scale of a channel changed, as a logarithm, at most.
    private mutating func scale(_ unit: Unit) -> Double {
        switch unit {
        case .pair(let place):
            let (first, second) = ranges(of: place)
            return apply(zip(first, second).map { $0 / ($0 * $1).squareRoot() }, to: place)
        case .triple(let place, let next):
            // The depthwise layer's range is that of the one weight that a channel has, as an output.
            let first = ranges(of: place).outputs
            let (second, third) = ranges(of: next)
            let means = zip(zip(first, second), third).map { cubeRoot($0.0 * $0.1 * $1) }
            return max(
                apply(zip(first, means).map { $0 / $1 }, to: place),
                apply(zip(means, third).map { $0 / $1 }, to: next))
        }
    }

    /// A factor that is 0, NaN or infinite changes nothing: a channel whose weights are zero has no range to be brought anywhere.
    private mutating func apply(_ factors: [Double], to place: Int) -> Double {
        var change = 0.0
        for (channel, factor) in factors.enumerated() {
            guard factor.isFinite, factor > 0, !constantChannels[place].contains(channel) else { continue }
            ofSets[place][channel] *= factor
            change = max(change, max(factor, 1 / factor) - 1)
        }
        return change
    }
}

/// The third root by Newton's method in double precision: the same bits on every machine.
private func cubeRoot(_ value: Double) -> Double {
    guard value.isFinite, value > 0 else { return value }
    // Of the exponent's third; then within a factor of two of the root, each step more than squares the relative error.
    var root = Double(sign: .plus, exponent: Int((Double(value.exponent) / 3).rounded(.down)), significand: 1.26)
    for _ in 0..<6 { root -= (root * root * root - value) / (3 * root * root) }
    return root
}

/// The largest magnitude of the weights between each output channel and each input channel that it sees.
private struct KernelMagnitudes {
    /// Input channels that an output channel sees.
    private var width = 0
    private var outputs = 0
    private var inputs = 0
    private var groups = 1
    /// [outputs, width]
    private var values: [Float] = []

    /// Of no channels.
    init() {}

    /// - Parameter block: inputs of the layer that are one channel; 1 where it has groups.
    init(_ layer: LinearLayer, block: Int) {
        outputs = layer.outputChannels
        inputs = layer.inputChannels / block
        groups = layer.groups
        width = inputs / groups
        values = [Float](repeating: 0, count: outputs * width)
        let width = width
        values.withUnsafeMutableBufferPointer { values in
            layer.forEachMagnitude { output, input, magnitude in
                let place = output * width + input / block % width
                values[place] = max(values[place], magnitude)
            }
        }
    }

    /// The largest magnitude of each output channel, divided and multiplied as the factors say.
    func outputRanges(_ factors: (outputs: [Double]?, inputs: [Double]?)) -> [Double] {
        var ranges = [Double](repeating: 0, count: outputs)
        forEach(factors) { output, _, value in ranges[output] = max(ranges[output], value) }
        return ranges
    }

    /// The same of each input channel.
    func inputRanges(_ factors: (outputs: [Double]?, inputs: [Double]?)) -> [Double] {
        var ranges = [Double](repeating: 0, count: inputs)
        forEach(factors) { _, input, value in ranges[input] = max(ranges[input], value) }
        return ranges
    }

    private func forEach(
        _ factors: (outputs: [Double]?, inputs: [Double]?), _ body: (Int, Int, Double) -> Void
    ) {
        let perGroup = max(outputs / groups, 1)
        values.withUnsafeBufferPointer { values in
            for output in 0..<outputs {
                let divisor = factors.outputs?[output] ?? 1
                let first = output / perGroup * width
                for column in 0..<width {
                    let factor = factors.inputs?[first + column] ?? 1
                    body(output, first + column, Double(values[output * width + column]) * factor / divisor)
                }
            }
        }
    }
}
