import Definitions
import Nodes
import Operators
import TensorFunctions
import Tensors

extension Accumulation: DifferentiableDefinition {
    package func inputGradients(_ derivative: Derivative) throws -> [Int: Tensor] {
        let (elements, gradient) = (derivative.elements(0), derivative.gradient())
        guard let shape = derivative.inputs[0]?.type.shape else { return [:] }
        let rows = AxisRows(shape, axis: try axis(inputs: derivative.inputs))
        var result = [Double](repeating: 0, count: elements.count)
        for row in 0..<rows.count {
            let places = (0..<rows.extent).map {
                rows.place(row: row, isReversed ? rows.extent - 1 - $0 : $0)
            }
            if node.opType == "CumSum" {
                // Each element is in its own sum and all behind it.
                var sum = 0.0
                for place in places.reversed() {
                    if isExclusive { result[place] = sum }
                    sum += gradient[place]
                    if !isExclusive { result[place] = sum }
                }
            } else {
                addProducts(elements, gradient, places, to: &result)
            }
        }
        return [0: derivative.result(result, of: 0)]
    }

    /// An element's gradient is the sum over the products that it is in of all their other elements, which may be zero.
    private func addProducts(_ elements: [Double], _ gradient: [Double], _ places: [Int], to result: inout [Double]) {
        var before = 1.0
        for (index, place) in places.enumerated() {
            var (product, sum) = (before, 0.0)
            if !isExclusive { sum += gradient[place] * product }
            for later in places[(index + 1)...] {
                // An exclusive product does not have the element at its own place.
                if isExclusive { sum += gradient[later] * product }
                product *= elements[later]
                if !isExclusive { sum += gradient[later] * product }
            }
            result[place] = sum
            before *= elements[place]
        }
    }
}

extension Ranking: DifferentiableDefinition {
    /// To the elements that were taken; their places have no gradient.
    package func inputGradients(_ derivative: Derivative) throws -> [Int: Tensor] {
        guard let shape = derivative.inputs[0]?.type.shape else { return [:] }
        let axis = try node.resolveAxis(axis, rank: shape.rank)
        let (rows, taken) = (AxisRows(shape, axis: axis), AxisRows(derivative.types[0].shape, axis: axis))
        let (elements, gradient) = (derivative.elements(0), derivative.gradient())
        var result = [Double](repeating: 0, count: elements.count)
        for row in 0..<rows.count {
            let order = rows.ranking(elements, row: row, takesLargest: takesLargest)
            for index in 0..<taken.extent {
                result[rows.place(row: row, order[index])] = gradient[taken.place(row: row, index)]
            }
        }
        return [0: derivative.result(result, of: 0)]
    }
}

extension Scatter: DifferentiableDefinition {
    /// Of elements that share the maximum or minimum, each gets an equal part, as in PyTorch's `scatter_reduce`. Of updates
    /// that replace each other the last has the gradient.
    package func inputGradients(_ derivative: Derivative) throws -> [Int: Tensor] {
        let targets = try targets(inputs: derivative.inputs)
        let (data, updates) = (derivative.elements(0), derivative.elements(2))
        var (ofData, ofUpdates) = (derivative.gradient(), [Double](repeating: 0, count: updates.count))
        let gradient = ofData
        switch reduction {
        case .none:
            for (index, target) in targets.enumerated().reversed() {
                ofUpdates[index] = ofData[target]
                ofData[target] = 0
            }
        case .add:
            for (index, target) in targets.enumerated() { ofUpdates[index] = gradient[target] }
        case .mul:
            var zeros = data.map { $0 == 0 ? 1 : 0 }
            var products = data.map { $0 == 0 ? 1 : $0 }
            for (index, target) in targets.enumerated() {
                if updates[index] == 0 { zeros[target] += 1 } else { products[target] *= updates[index] }
            }
            /// The product of all others.
            func others(_ value: Double, _ target: Int) -> Double {
                switch (zeros[target], value) {
                case (0, _): products[target] / value
                case (1, 0): products[target]
                default: 0
                }
            }
            for (index, target) in targets.enumerated() {
                ofUpdates[index] = gradient[target] * others(updates[index], target)
            }
            for target in data.indices { ofData[target] *= others(data[target], target) }
        case .max, .min:
            var best = data
            for (index, target) in targets.enumerated() {
                best[target] = reduction == .max ? max(best[target], updates[index]) : min(best[target], updates[index])
            }
            var winners = data.indices.map { data[$0] == best[$0] ? 1.0 : 0 }
            for (index, target) in targets.enumerated() where updates[index] == best[target] { winners[target] += 1 }
            for (index, target) in targets.enumerated() where updates[index] == best[target] {
                ofUpdates[index] = gradient[target] / winners[target]
            }
            for target in data.indices {
                ofData[target] = data[target] == best[target] ? gradient[target] / max(winners[target], 1) : 0
            }
        }
        return [0: derivative.result(ofData, of: 0), 2: derivative.result(ofUpdates, of: 2)]
    }
}
