import Definitions
import Nodes
import Operators
import TensorFunctions
import Tensors

extension GridSampling: DifferentiableDefinition {
    package func inputGradients(_ derivative: Derivative) -> [Int: Tensor] {
        guard let input = derivative.value(0), let grid = derivative.value(1), let gradient = derivative.gradients[0]
        else { return [:] }
        let found = sampler.gradients(input: input, grid: grid, gradient: gradient)
        return [0: derivative.result(found.input, of: 0), 1: derivative.result(found.grid, of: 1)]
    }
}

extension AffineGrid: DifferentiableDefinition {
    /// Places are linear in the maps: those of maps that have a single 1 are the factors.
    package func inputGradients(_ derivative: Derivative) throws -> [Int: Tensor] {
        guard let shape = derivative.inputs[0]?.type.shape else { return [:] }
        let (slopes, axes) = (derivative.gradient(), shape[1])
        var result = [Double](repeating: 0, count: shape.count)
        let perSample = derivative.types[0].shape.dimensions.dropFirst().reduce(1, *)
        for column in 0..<axes + 1 {
            // All rows of all maps at once: a row gives one coordinate of each place.
            var inputs = derivative.inputs
            inputs[0]?.type = ValueType(.float64, shape)
            inputs[0]?.constant = Tensor(
                shape: shape, (0..<shape.count).map { $0 % (axes + 1) == column ? 1.0 : 0 })
            let types = [ValueType(.float64, derivative.types[0].shape)]
            guard let factors = try evaluate(inputs: inputs, types: types)?[0].elements(as: Double.self) else {
                return [:]
            }
            for (index, slope) in slopes.enumerated() {
                let (sample, row) = (index / perSample, index % axes)
                result[(sample * axes + row) * (axes + 1) + column] += slope * factors[index]
            }
        }
        return [0: derivative.result(result, of: 0)]
    }
}

extension RegionPooling: DifferentiableDefinition {
    /// Of the image alone: regions have no gradient.
    package func inputGradients(_ derivative: Derivative) throws -> [Int: Tensor] {
        guard let image = derivative.value(0), let regions = derivative.value(1), let gradient = derivative.gradients[0]
        else { return [:] }
        guard isAligned else {
            var result = [Double](repeating: 0, count: image.count)
            for (place, slope) in zip(pooling.maxima(image, regions) ?? [], derivative.gradient()) where place >= 0 {
                result[place] += slope
            }
            return [0: derivative.result(result, of: 0)]
        }
        let entries = try node.constantInts(derivative.inputs, 2) ?? []
        return pooling.imageGradient(image, regions, entries: entries, gradient: gradient)
            .map { [0: derivative.result($0, of: 0)] } ?? [:]
    }
}

extension DeformableConvolution: DifferentiableDefinition {
    package func inputGradients(_ derivative: Derivative) -> [Int: Tensor] {
        let operands = (0...2).compactMap { derivative.value($0) }
        guard operands.count == 3, let gradient = derivative.gradients[0] else { return [:] }
        let found = deformed(operands).gradients(operands, mask: derivative.value(4), gradient: gradient)
        let parts = [found.input, found.weight, found.offsets, found.bias, found.mask]
        return Dictionary(
            uniqueKeysWithValues: derivative.needed.map { ($0, derivative.result(parts[$0], of: $0)) })
    }
}

extension ColumnsToImage: DifferentiableDefinition {
    package func inputGradients(_ derivative: Derivative) throws -> [Int: Tensor] {
        let (places, slopes) = (try places(inputs: derivative.inputs), derivative.gradient())
        let plane = derivative.types[0].shape.dimensions.dropFirst(2).reduce(1, *)
        let channels = derivative.types[0].shape.dimensions.prefix(2).reduce(1, *)
        let result = (0..<channels).flatMap { channel in
            places.map { place in place.map { slopes[channel * plane + $0] } ?? 0 }
        }
        return [0: derivative.result(result, of: 0)]
    }
}

extension Determinant: DifferentiableDefinition {
    /// Of an element: its cofactor.
    package func inputGradients(_ derivative: Derivative) -> [Int: Tensor] {
        guard let size = derivative.inputs[0]?.type.shape.dimensions.last else { return [:] }
        let elements = derivative.elements(0)
        let result = derivative.gradient().enumerated().flatMap { index, slope in
            let matrix = elements[index * size * size..<(index + 1) * size * size]
            return (0..<size * size).map { slope * cofactor(matrix, size: size, row: $0 / size, column: $0 % size) }
        }
        return [0: derivative.result(result, of: 0)]
    }
}
