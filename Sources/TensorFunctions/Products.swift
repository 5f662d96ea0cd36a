import Tensors

/// What sums of products are taken in: doubles for all floating-point types, 64 bits that wrap around for all integers, whose low
/// bits are those of any narrower type.
package protocol ProductNumber: TensorElement {
    static var zero: Self { get }
    func adding(_ left: Self, times right: Self) -> Self
}

extension Double: ProductNumber {
    package func adding(_ left: Double, times right: Double) -> Double { self + left * right }
}

extension Int64: ProductNumber {
    package func adding(_ left: Int64, times right: Int64) -> Int64 { self &+ left &* right }
}

extension ElementType {
    /// What sums of products of this type are taken in.
    package var productNumber: any ProductNumber.Type { isFloatingPoint ? Double.self : Int64.self }
}

extension Tensor {
    /// The elements as numbers of sums of products.
    package func factors<Number: ProductNumber>(_: Number.Type) -> [Number] {
        converted(to: Number.elementType).elements(as: Number.self)
    }
}

/// Matrix products as numpy.matmul has them: leading axes broadcast, a vector is a row on the left and a column on the right.
/// - Parameters:
///   - left, right: elements of tensors of these shapes, which fit.
///   - shape: of the product.
/// - Returns: the product's elements, each summed in the order of the inner axis.
package func matrixProduct<Number: ProductNumber>(
    _ left: [Number], _ leftShape: Shape, _ right: [Number], _ rightShape: Shape, shape: Shape
) -> [Number] {
    let a = leftShape.rank == 1 ? [1] + leftShape.dimensions : leftShape.dimensions
    let b = rightShape.rank == 1 ? rightShape.dimensions + [1] : rightShape.dimensions
    let (rows, inner, columns) = (a[a.count - 2], a[a.count - 1], b[b.count - 1])
    let (leftBatch, rightBatch) = (Shape(Array(a.dropLast(2))), Shape(Array(b.dropLast(2))))
    let batch = Shape(Array(shape.dimensions.prefix(max(a.count, b.count) - 2)))
    func matrices(_ own: Shape) -> [Int64] {
        Tensor(shape: own, (0..<own.count).map { Int64($0) }).broadcast(to: batch).elements(as: Int64.self)
    }
    let (leftIndices, rightIndices) = (matrices(leftBatch), matrices(rightBatch))
    var result = [Number](repeating: .zero, count: shape.count)
    left.withUnsafeBufferPointer { left in
        right.withUnsafeBufferPointer { right in
            result.withUnsafeMutableBufferPointer { result in
                for matrix in 0..<batch.count {
                    let first = Int(leftIndices[matrix]) * rows * inner
                    let second = Int(rightIndices[matrix]) * inner * columns
                    for row in 0..<rows {
                        let target = (matrix * rows + row) * columns
                        for index in 0..<inner {
                            let factor = left[first + row * inner + index]
                            let source = second + index * columns
                            for column in 0..<columns {
                                result[target + column] =
                                    result[target + column].adding(factor, times: right[source + column])
                            }
                        }
                    }
                }
            }
        }
    }
    return result
}

/// A convolution as ONNX defines it, position by position.
package struct DirectConvolution {
    /// Extents: [batch, channels, spatial...], [features, channels / groups, window...], [batch, features, spatial...].
    package let input, weight, output: Shape
    package let groups: Int
    /// For each spatial axis.
    package let strides, dilations, begin: [Int]

    package init(
        input: Shape, weight: Shape, output: Shape, groups: Int, strides: [Int], dilations: [Int], begin: [Int]
    ) {
        (self.input, self.weight, self.output, self.groups) = (input, weight, output, groups)
        (self.strides, self.dilations, self.begin) = (strides, dilations, begin)
    }

    /// - Parameters:
    ///   - data, factors: elements of the input and of the weight; what lies outside of the input is zero.
    package func values<Number: ProductNumber>(_ data: [Number], _ factors: [Number]) -> [Number] {
        let (image, window) = (Shape(Array(input.dimensions[2...])), Shape(Array(weight.dimensions[2...])))
        let positions = Shape(Array(output.dimensions[2...]))
        let (features, depth) = (output[1], weight[1])
        let (imageStrides, pixels, taps, places) = (image.strides, image.count, window.count, positions.count)
        var result = [Number](repeating: .zero, count: output.count)
        var place = 0
        positions.forEachPosition { position in
            // What the window sees here: numbers of an element in a plane of the input, and in one of the weight.
            var seen: [(element: Int, tap: Int)] = []
            var tap = 0
            window.forEachPosition { offset in
                var element = 0
                var isInside = true
                for axis in offset.indices {
                    let index = position[axis] * strides[axis] + offset[axis] * dilations[axis] - begin[axis]
                    isInside = isInside && 0..<image[axis] ~= index
                    element += index * imageStrides[axis]
                }
                if isInside { seen.append((element, tap)) }
                tap += 1
            }
            for sample in 0..<output[0] {
                for feature in 0..<features {
                    let first = feature / max(features / groups, 1) * depth
                    var sum = Number.zero
                    for channel in 0..<depth {
                        let plane = (sample * input[1] + first + channel) * pixels
                        let filter = (feature * depth + channel) * taps
                        for (element, tap) in seen {
                            sum = sum.adding(data[plane + element], times: factors[filter + tap])
                        }
                    }
                    result[(sample * features + feature) * places + place] = sum
                }
            }
            place += 1
        }
        return result
    }
}
