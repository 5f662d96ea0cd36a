import Tensors

extension DeformedWindow {
    /// Gradients of what a deformed convolution is made of, as its operands' elements.
    package struct Gradients {
        package var input, weight, offsets, bias, mask: [Double]
    }

    /// The gradients of all operands from that of the output, in double precision, added in the order of the output.
    /// - Parameters:
    ///   - operands: input, weight and offsets.
    ///   - gradient: of the output's shape.
    package func gradients(_ operands: [Tensor], mask: Tensor?, gradient: Tensor) -> Gradients {
        let (input, shape) = (operands[0].shape, gradient.shape)
        let numbers = operands.map { $0.converted(to: .float64).elements(as: Double.self) }
        let masks = mask?.converted(to: .float64).elements(as: Double.self)
        let slopes = gradient.converted(to: .float64).elements(as: Double.self)
        let (channels, features, size) = (input[1], shape[1], kernel[0] * kernel[1])
        let (plane, places, members) = (input[2] * input[3], shape[2] * shape[3], channels / offsetGroups)
        let (own, ownFeatures) = (channels / groups, features / groups)
        var results = Gradients(
            input: numbers[0].map { _ in 0 }, weight: numbers[1].map { _ in 0 }, offsets: numbers[2].map { _ in 0 },
            bias: [Double](repeating: 0, count: features), mask: masks?.map { _ in 0 } ?? [])
        for row in 0..<shape[0] * features {
            results.bias[row % features] += slopes[row * places..<(row + 1) * places].reduce(0, +)
        }
        for sample in 0..<shape[0] {
            for row in 0..<offsetGroups * size {
                let (group, element) = (row / size, row % size)
                let entry = (sample * offsetGroups * size + row) * places
                let corner = zip(0...1, [element / kernel[1], element % kernel[1]]).map { axis, index in
                    index * dilations[axis] - begin[axis]
                }
                for place in 0..<places {
                    let offset = 2 * entry + place
                    let taps = Self.taps(
                        Double(place / shape[3] * strides[0] + corner[0]) + numbers[2][offset],
                        Double(place % shape[3] * strides[1] + corner[1]) + numbers[2][offset + places], input)
                    for channel in group * members..<(group + 1) * members {
                        let base = (sample * channels + channel) * plane
                        let value = taps.reduce(0) { $0 + $1.weight * numbers[0][base + $1.index] }
                        let masked = masks?[entry + place] ?? 1
                        var slope = 0.0
                        for feature in channel / own * ownFeatures..<(channel / own + 1) * ownFeatures {
                            let weight = (feature * own + channel % own) * size + element
                            let change = slopes[(sample * features + feature) * places + place]
                            slope += change * numbers[1][weight]
                            results.weight[weight] += change * value * masked
                        }
                        if masks != nil { results.mask[entry + place] += slope * value }
                        for tap in taps {
                            results.input[base + tap.index] += slope * masked * tap.weight
                            let part = slope * masked * numbers[0][base + tap.index]
                            results.offsets[offset] += part * tap.slopes.0
                            results.offsets[offset + places] += part * tap.slopes.1
                        }
                    }
                }
            }
        }
        return results
    }

    /// The elements around a place down and across, their weights, and how these change with the place.
    private static func taps(
        _ y: Double, _ x: Double, _ input: Shape
    ) -> [(index: Int, weight: Double, slopes: (Double, Double))] {
        let (height, width) = (input[2], input[3])
        guard y > -1, x > -1, y < Double(height), x < Double(width) else { return [] }
        let (top, left) = (y.rounded(.down), x.rounded(.down))
        let (v, u) = (y - top, x - left)
        var taps: [(index: Int, weight: Double, slopes: (Double, Double))] = []
        for (down, weight, slope) in [(Int(top), 1 - v, -1.0), (Int(top) + 1, v, 1)] where 0..<height ~= down {
            for (across, share, change) in [(Int(left), 1 - u, -1.0), (Int(left) + 1, u, 1)] where 0..<width ~= across {
                taps.append((down * width + across, weight * share, (slope * share, weight * change)))
            }
        }
        return taps
    }
}
