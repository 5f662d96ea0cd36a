import Tensors

/// The cells of one direction.
package struct RecurrentCells {
    /// How gates and state make the next state.
    package enum Kind: Sendable {
        /// With coupled gates what is forgotten is one less what is taken.
        case lstm(couplesGates: Bool)
        /// The reset gate is applied before or behind the product with the recurrent weights.
        case gru(resetsAfterProduct: Bool)
        case plain

        /// Rows of the weights for each unit.
        package var gates: Int {
            switch self {
            case .lstm: 4
            case .gru: 3
            case .plain: 1
            }
        }
    }

    let kind: Kind
    let clip: Float?
    let functions: [RecurrentActivation]
    let units, features: Int
    let weights, recurrent: [Double]
    let biases, peepholes: [Double]?

    /// - Parameters:
    ///   - functions: of the gates, then of the states.
    ///   - clip: bound of what enters a function; nil for none.
    ///   - weights, recurrent: [gates * units, features], [gates * units, units].
    ///   - biases, peepholes: [2 * gates * units], [3 * units].
    package init(
        _ kind: Kind, functions: [RecurrentActivation], clip: Float?, units: Int, features: Int, weights: [Double],
        recurrent: [Double], biases: [Double]?, peepholes: [Double]?
    ) {
        (self.kind, self.functions, self.clip, self.units, self.features) = (kind, functions, clip, units, features)
        (self.weights, self.recurrent, self.biases, self.peepholes) = (weights, recurrent, biases, peepholes)
    }

    private func clipped(_ x: Double) -> Double {
        clip.map { min(max(x, -Double($0)), Double($0)) } ?? x
    }

    /// W x + its bias, of one row.
    private func input(_ row: Int, _ x: ArraySlice<Double>) -> Double {
        var sum = biases?[row] ?? 0
        for (index, value) in zip(row * features..<(row + 1) * features, x) { sum += weights[index] * value }
        return sum
    }

    /// R h + its bias, of one row.
    private func memory(_ row: Int, _ h: [Double]) -> Double {
        var sum = biases?[kind.gates * units + row] ?? 0
        for (index, value) in zip(row * units..<(row + 1) * units, h) { sum += recurrent[index] * value }
        return sum
    }

    /// One step of the sequence.
    package func step(_ x: ArraySlice<Double>, _ h: inout [Double], _ c: inout [Double]) {
        let before = h
        switch kind {
        case .lstm(let couplesGates):
            for unit in 0..<units {
                // Gates in W and R: input, output, forget, cell; in P: input, output, forget.
                func gate(_ index: Int) -> Double {
                    input(index * units + unit, x) + memory(index * units + unit, before)
                }
                func seen(_ index: Int, _ c: Double) -> Double { (peepholes?[index * units + unit] ?? 0) * c }
                let taken = functions[0].value(clipped(gate(0) + seen(0, c[unit])))
                let kept =
                    couplesGates ? 1 - taken : functions[0].value(clipped(gate(2) + seen(2, c[unit])))
                c[unit] = kept * c[unit] + taken * functions[1].value(clipped(gate(3)))
                let shown = functions[0].value(clipped(gate(1) + seen(1, c[unit])))
                h[unit] = shown * functions[2].value(c[unit])
            }
        case .gru(let resetsAfterProduct):
            let resets = (0..<units).map {
                functions[0].value(clipped(input(units + $0, x) + memory(units + $0, before)))
            }
            let reset = zip(resets, before).map(*)
            for unit in 0..<units {
                let update = functions[0].value(clipped(input(unit, x) + memory(unit, before)))
                let row = 2 * units + unit
                let remembered =
                    resetsAfterProduct ? resets[unit] * memory(row, before) : memory(row, reset)
                let new = functions[1].value(clipped(input(row, x) + remembered))
                h[unit] = (1 - update) * new + update * before[unit]
            }
        case .plain:
            for unit in 0..<units { h[unit] = functions[0].value(clipped(input(unit, x) + memory(unit, before))) }
        }
    }
}

/// A function that a recurrent cell applies to its gates or states.
package enum RecurrentActivation: Sendable, Equatable {
    case function(UnaryFunction)
    /// alpha * x + beta
    case affine(alpha: Float, beta: Float)
    /// alpha * tanh(beta * x)
    case scaledTanh(alpha: Float, beta: Float)

    /// Takes its parameters from the lists, those that it has; by default those of the ONNX operators of its name.
    package init?(_ name: String, _ alphas: inout [Float], _ betas: inout [Float]) {
        func next(_ list: inout [Float], default value: Float) -> Float { list.isEmpty ? value : list.removeFirst() }
        switch name.lowercased() {
        case "relu": self = .function(.relu)
        case "tanh": self = .function(.tanh)
        case "sigmoid": self = .function(.sigmoid)
        case "softsign": self = .function(.softsign)
        case "softplus": self = .function(.softplus)
        case "leakyrelu": self = .function(.leakyRelu(alpha: next(&alphas, default: 0.01)))
        case "thresholdedrelu": self = .function(.thresholdedRelu(alpha: next(&alphas, default: 1)))
        case "elu": self = .function(.elu(alpha: next(&alphas, default: 1)))
        case "hardsigmoid":
            let alpha = next(&alphas, default: 0.2)
            self = .function(.hardSigmoid(alpha: alpha, beta: next(&betas, default: 0.5)))
        case "affine":
            let alpha = next(&alphas, default: 1)
            self = .affine(alpha: alpha, beta: next(&betas, default: 0))
        case "scaledtanh":
            let alpha = next(&alphas, default: 1)
            self = .scaledTanh(alpha: alpha, beta: next(&betas, default: 1))
        default: return nil
        }
    }

    func value(_ x: Double) -> Double {
        switch self {
        case .function(let function): function.value(x)
        case .affine(let alpha, let beta): Double(alpha) * x + Double(beta)
        case .scaledTanh(let alpha, let beta): Double(alpha) * UnaryFunction.tanh.value(Double(beta) * x)
        }
    }
    /// At `x`, where the function has the value `y`.
    func derivative(_ x: Double, value y: Double) -> Double {
        switch self {
        case .function(.sigmoid): return y * (1 - y)
        case .function(.tanh): return 1 - y * y
        case .function(let function): return function.derivative(x)
        case .affine(let alpha, _): return Double(alpha)
        case .scaledTanh(let alpha, let beta):
            let y = UnaryFunction.tanh.value(Double(beta) * x)
            return Double(alpha) * Double(beta) * (1 - y * y)
        }
    }
}
