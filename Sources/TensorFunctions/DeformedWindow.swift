import Tensors

/// A convolution of images whose window's elements are moved and weighted one by one.
package struct DeformedWindow: Sendable {
    let kernel, strides, dilations, begin: [Int]
    let groups, offsetGroups: Int

    /// - Parameters:
    ///   - kernel, strides, dilations: down and across.
    ///   - begin: padding above and to the left.
    package init(kernel: [Int], strides: [Int], dilations: [Int], begin: [Int], groups: Int, offsetGroups: Int) {
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

    /// Outputs of one sample that are computed together.
    private static let stretch = 512

    private func convolved<Number: BinaryFloatingPoint & TensorElement>(
        _ operands: [Tensor], _ bias: Tensor?, _ mask: Tensor?, _ shape: Shape, _: Number.Type
    ) -> Tensor {
        let biases = bias?.elements(as: Number.self)
        let deformation = Deformation(
            input: operands[0].shape, output: shape, offsets: operands[2].elements(as: Number.self),
            masks: mask?.elements(as: Number.self))
        let (channels, places) = (operands[0].shape[1], deformation.places)
        // What a stretch of the output sees: for each channel and element of the window, a row.
        let width = min(places, Self.stretch)
        var columns = [Number](repeating: 0, count: channels * kernel[0] * kernel[1] * width)
        var taps = GridTaps<Number>(places: width, axes: [2, 2])
        return operands[0].withUnsafeElements(as: Number.self) { source in
            operands[1].withUnsafeElements(as: Number.self) { weights in
                Tensor(shape: shape) { (target: UnsafeMutableBufferPointer<Number>) in
                    for sample in 0..<shape[0] {
                        for start in stride(from: 0, to: places, by: Self.stretch) {
                            let stretch = start..<min(start + Self.stretch, places)
                            columns.withUnsafeMutableBufferPointer { columns in
                                fill(columns, width, source, sample, stretch, deformation, &taps)
                                for feature in 0..<shape[1] {
                                    let line = (sample * shape[1] + feature) * places
                                    let result = UnsafeMutableBufferPointer(
                                        rebasing: target[line + stretch.lowerBound..<line + stretch.upperBound])
                                    result.update(repeating: biases?[feature] ?? 0)
                                    add(columns, width, weights, feature, of: shape[1], channels, to: result)
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// What moves and weights the elements of a window at each place of the output.
    private struct Deformation<Number> {
        let input, output: Shape
        let offsets: [Number]
        let masks: [Number]?
        /// Of the output of one sample and feature.
        var places: Int { output[2] * output[3] }
    }

    /// Fills the rows of all channels and elements of the window, for a stretch of the output of one sample.
    private func fill<Number: BinaryFloatingPoint & TensorElement>(
        _ columns: UnsafeMutableBufferPointer<Number>, _ width: Int, _ source: UnsafeBufferPointer<Number>,
        _ sample: Int, _ stretch: Range<Int>, _ deformation: Deformation<Number>, _ taps: inout GridTaps<Number>
    ) {
        let (input, places, size) = (deformation.input, deformation.places, kernel[0] * kernel[1])
        let (extents, plane, members) = ([input[2], input[3]], input[2] * input[3], input[1] / offsetGroups)
        for row in 0..<offsetGroups * size {
            let entry = (sample * offsetGroups * size + row) * places
            let (group, element) = (row / size, row % size)
            let top = element / kernel[1] * dilations[0] - begin[0]
            let left = element % kernel[1] * dilations[1] - begin[1]
            for (index, place) in stretch.enumerated() {
                let (y, x) = (place / deformation.output[3], place % deformation.output[3])
                let offset = 2 * entry + place
                setPlace(
                    &taps, index, extents, at: Number(y * strides[0] + top) + deformation.offsets[offset],
                    Number(x * strides[1] + left) + deformation.offsets[offset + places])
            }
            for channel in group * members..<(group + 1) * members {
                let start = (sample * input[1] + channel) * plane
                let line = (channel * size + element) * width
                let column = UnsafeMutableBufferPointer(rebasing: columns[line..<line + stretch.count])
                taps.sum(UnsafeBufferPointer(rebasing: source[start..<start + plane]), into: column)
                if let masks = deformation.masks {
                    for (index, place) in stretch.enumerated() { column[index] *= masks[entry + place] }
                }
            }
        }
    }

    /// Adds the products of a feature's weights and the rows of its group, one row after the other.
    private func add<Number: BinaryFloatingPoint>(
        _ columns: UnsafeMutableBufferPointer<Number>, _ width: Int, _ weights: UnsafeBufferPointer<Number>,
        _ feature: Int, of features: Int, _ channels: Int, to result: UnsafeMutableBufferPointer<Number>
    ) {
        let rows = channels / groups * kernel[0] * kernel[1]
        let first = feature / (features / groups) * rows
        for row in 0..<rows {
            let (weight, column) = (weights[feature * rows + row], (first + row) * width)
            for place in result.indices { result[place] += weight * columns[column + place] }
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
