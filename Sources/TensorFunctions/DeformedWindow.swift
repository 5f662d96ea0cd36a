import Tensors

/// A convolution of images whose window's elements are moved and weighted one by one.
package struct DeformedWindow: Sendable {
    let kernel, strides, dilations, begin: [Int]
    let groups, offsetGroups: Int

    /// - Parameters:
    ///   - kernel, strides, dilations: down and across.
    ///   - begin: padding above and to the left.
    package init(
        kernel: [Int], strides: [Int], dilations: [Int], begin: [Int], groups: Int, offsetGroups: Int
    ) {
        (self.kernel, self.strides, self.dilations, self.begin) = (kernel, strides, dilations, begin)
        (self.groups, self.offsetGroups) = (groups, offsetGroups)
    }

    /// - Parameters:
    ///   - operands: input, weight and offsets, of one type.
    ///   - shape: of the output.
    package func convolved(_ operands: [Tensor], bias: Tensor?, mask: Tensor?, shape: Shape) -> Tensor {
        let type = operands[0].elementType
        if type == .float32 { return convolved(operands, bias, mask, shape, Float.self) }
        let wide = operands.map { $0.converted(to: .float64) }
        return convolved(wide, bias?.converted(to: .float64), mask?.converted(to: .float64), shape, Double.self)
            .converted(to: type)
    }

    private func convolved<Number: BinaryFloatingPoint & TensorElement>(
        _ operands: [Tensor], _ bias: Tensor?, _ mask: Tensor?, _ shape: Shape, _: Number.Type
    ) -> Tensor {
        let input = operands[0].shape
        let (channels, features, size) = (input[1], shape[1], kernel[0] * kernel[1])
        let (plane, places, extents) = (input[2] * input[3], shape[2] * shape[3], [input[2], input[3]])
        let (own, ownFeatures) = (channels / groups, features / groups)
        let biases = bias?.elements(as: Number.self)
        let masks = mask?.elements(as: Number.self)
        let offsets = operands[2].elements(as: Number.self)
        // Columns are what a stretch of the output sees: for each channel and element of the window, a row.
        let stretch = min(places, 512)
        var columns = [Number](repeating: 0, count: channels * size * stretch)
        var taps = GridTaps<Number>(places: stretch, axes: [2, 2])
        return operands[0].withUnsafeElements(as: Number.self) { source in
            operands[1].withUnsafeElements(as: Number.self) { weights in
                Tensor(shape: shape) { (target: UnsafeMutableBufferPointer<Number>) in
                    for sample in 0..<shape[0] {
                        for start in stride(from: 0, to: places, by: 512) {
                            let count = min(512, places - start)
                            columns.withUnsafeMutableBufferPointer { columns in
                                for row in 0..<offsetGroups * size {
                                    let entry = (sample * offsetGroups * size + row) * places + start
                                    let element = row % size
                                    let top = element / kernel[1] * dilations[0] - begin[0]
                                    let left = element % kernel[1] * dilations[1] - begin[1]
                                    for place in 0..<count {
                                        let (y, x) = ((start + place) / shape[3], (start + place) % shape[3])
                                        let offset = 2 * entry - start + place
                                        setPlace(
                                            &taps, place, extents,
                                            at: Number(y * strides[0] + top) + offsets[offset],
                                            Number(x * strides[1] + left) + offsets[offset + places])
                                    }
                                    let members = channels / offsetGroups
                                    let group = row / size
                                    for channel in group * members..<(group + 1) * members {
                                        let plane =
                                            (sample * channels + channel) * plane..<(sample * channels + channel + 1)
                                            * plane
                                        let line = (channel * size + element) * stretch
                                        let column = UnsafeMutableBufferPointer(rebasing: columns[line..<line + count])
                                        taps.sum(UnsafeBufferPointer(rebasing: source[plane]), into: column)
                                        if let masks {
                                            for place in 0..<count { column[place] *= masks[entry + place] }
                                        }
                                    }
                                }
                                for feature in 0..<features {
                                    let line = (sample * features + feature) * places + start
                                    let result = UnsafeMutableBufferPointer(rebasing: target[line..<line + count])
                                    result.update(repeating: biases?[feature] ?? 0)
                                    for row in 0..<own * size {
                                        let weight = weights[feature * own * size + row]
                                        let column = (feature / ownFeatures * own * size + row) * stretch
                                        for place in 0..<count { result[place] += weight * columns[column + place] }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Sets the four elements around a place, in elements down and across.
    private func setPlace<Number: BinaryFloatingPoint & TensorElement>(
        _ taps: inout GridTaps<Number>, _ place: Int, _ extents: [Int], at y: Number, _ x: Number
    ) {
        taps.set(place, extents) { axis, entries in
            let (x, extent) = (axis == 0 ? y : x, extents[axis])
            guard x > -1, x < Number(extent) else {
                entries[0] = (-1, 0)
                entries[1] = (-1, 0)
                return
            }
            let first = Int(x.rounded(.down))
            let part = x - Number(first)
            entries[0] = (first < 0 ? -1 : first, 1 - part)
            entries[1] = (first + 1 < extent ? first + 1 : -1, part)
        }
    }
}
