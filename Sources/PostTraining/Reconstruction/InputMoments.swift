import Tensors

/// What a layer's inputs are like, and what its outputs should be, as averages over the rows of its inputs: all that the squared
/// error of its outputs depends on, whatever its weights are.
///
/// With x a row of the inputs as the quantized model has them, and y the output that the FP32 model has there without the bias,
/// the error of weights w is E (w x + b - y)^2, a quadratic form in w: w E(x x') w' - 2 w E(x y) + ..., and so its least value over
/// grids is found without the samples.
public struct InputMoments: Sendable {
    public let groups: Int
    /// K: inputs of an output.
    public let inputs: Int
    /// N: outputs of a group.
    public let outputsPerGroup: Int
    /// E(x x') of each group: [K][K], symmetric.
    public let second: [[Double]]
    /// E(x y) of each group: [K][N], with y less its bias.
    public let cross: [[Double]]
    /// E(x) of each group: [K].
    public let means: [[Double]]
    /// E(y) of each output, less its bias: [groups * N].
    public let outputMeans: [Double]
    /// E(y y) of each output, less its bias: [groups * N].
    public let outputSquares: [Double]
}

/// Powers of two that inputs and outputs of a layer are divided by, so that sums over samples have magnitudes near one.
public struct MomentUnits: Codable, Equatable, Sendable {
    /// Of the inputs, as exponent.
    public var input = 0
    /// Of the outputs, as exponent.
    public var output = 0

    /// - Parameters:
    ///   - weight: of the layer.
    ///   - largest: magnitude of its inputs; nil where it is not known.
    public init(_ layer: ProductLayer, _ weight: Tensor, largest: Double?) {
        if let largest, largest > 0, largest.isFinite { input = Int(largest.exponent) + 1 }
        let rows = layer.rows(of: weight)
        let gain =
            (0..<layer.outputs).map { output in
                rows[output * layer.inputs..<(output + 1) * layer.inputs].reduce(0) { $0 + Double($1.magnitude) }
            }.max() ?? 0
        output = input + (gain > 0 && gain.isFinite ? Int(gain.exponent) + 1 : 0)
    }

    /// Of neither.
    public init() {}

    /// What products of so many inputs and outputs are multiplied by.
    package func factor(inputs: Int, outputs: Int) -> Double {
        Double(sign: .plus, exponent: -inputs * input - outputs * output, significand: 1)
    }
}

/// Where the moments lie in a vector.
public struct MomentsLayout: Sendable {
    public let groups: Int
    public let inputs: Int
    public let outputsPerGroup: Int

    public init(_ layer: ProductLayer) {
        (groups, inputs, outputsPerGroup) = (layer.groups, layer.inputs, layer.outputsPerGroup)
    }

    private var triangle: Int { inputs * (inputs + 1) / 2 }
    /// Elements of one group: the upper triangle of E(x x') row by row, E(x y), E(x), E(y), E(y y).
    public var groupCount: Int { triangle + inputs * outputsPerGroup + inputs + 2 * outputsPerGroup }
    /// Elements of the vector.
    public var count: Int { groups * groupCount }

    /// The moments in a vector of averages.
    /// - Parameters:
    ///   - bias: that the outputs have, [groups * N].
    ///   - units: that the vector is in.
    public func moments(_ vector: [Float], bias: [Float]?, units: MomentUnits = MomentUnits()) -> InputMoments {
        var second: [[Double]] = []
        var cross: [[Double]] = []
        var means: [[Double]] = []
        var outputMeans: [Double] = []
        var outputSquares: [Double] = []
        var next = 0
        func take(_ count: Int, _ inputs: Int, _ outputs: Int) -> [Double] {
            defer { next += count }
            let factor = 1 / units.factor(inputs: inputs, outputs: outputs)
            return vector[next..<next + count].map { Double($0) * factor }
        }
        for group in 0..<groups {
            var square = [Double](repeating: 0, count: inputs * inputs)
            for row in 0..<inputs {
                for (offset, element) in take(inputs - row, 2, 0).enumerated() {
                    square[row * inputs + row + offset] = element
                    square[(row + offset) * inputs + row] = element
                }
            }
            var products = take(inputs * outputsPerGroup, 1, 1)
            let mean = take(inputs, 1, 0)
            let sums = take(outputsPerGroup, 0, 1)
            for (output, (sum, square)) in zip(sums, take(outputsPerGroup, 0, 2)).enumerated() {
                let bias = Double(bias?[group * outputsPerGroup + output] ?? 0)
                outputMeans.append(sum - bias)
                outputSquares.append(square - bias * (2 * sum - bias))
                for input in 0..<inputs { products[input * outputsPerGroup + output] -= bias * mean[input] }
            }
            second.append(square)
            cross.append(products)
            means.append(mean)
        }
        return InputMoments(
            groups: groups, inputs: inputs, outputsPerGroup: outputsPerGroup, second: second, cross: cross,
            means: means,
            outputMeans: outputMeans, outputSquares: outputSquares)
    }
}
