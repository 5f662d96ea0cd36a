import Tensors

/// A complex number.
struct Complex {
    var real = 0.0, imaginary = 0.0

    static func * (left: Complex, right: Complex) -> Complex {
        Complex(
            real: left.real * right.real - left.imaginary * right.imaginary,
            imaginary: left.real * right.imaginary + left.imaginary * right.real)
    }

    static func += (left: inout Complex, right: Complex) {
        left.real += right.real
        left.imaginary += right.imaginary
    }
}

/// The discrete Fourier transform of one length: X[k] is the sum of x[n] e^(-2 pi i k n / N), in double precision.
/// Lengths with small factors are cut by them (Cooley and Tukey), and cost about N times the sum of the factors.
package struct FourierTransform {
    private let length: Int
    /// e^(-2 pi i k / N) for k below N; the conjugates for the inverse.
    private let roots: [Complex]
    private let isInverse: Bool

    package init(length: Int, isInverse: Bool) {
        (self.length, self.isInverse) = (length, isInverse)
        roots = (0..<length).map { index in
            let angle = 2 * Double.pi * Double(index) / Double(length)
            return Complex(real: cosine(angle), imaginary: isInverse ? sine(angle) : -sine(angle))
        }
    }

    /// - Parameter signal: real and imaginary parts, as many numbers as the length; the inverse is divided by the
    ///   length.
    package func transformed(_ signal: [(Double, Double)]) -> [(Double, Double)] {
        let values = transformed(signal.map { Complex(real: $0.0, imaginary: $0.1) }, start: 0, step: 1, count: length)
        let divisor = isInverse ? Double(length) : 1
        return values.map { ($0.real / divisor, $0.imaginary / divisor) }
    }

    /// Of the numbers `start`, `start + step`, ...
    private func transformed(_ signal: [Complex], start: Int, step: Int, count: Int) -> [Complex] {
        guard count > 1 else { return count == 1 ? [signal[start]] : [] }
        let factor = Self.leastFactor(of: count)
        let size = count / factor
        let parts = (0..<factor).map { part in
            size == 1
                ? [signal[start + part * step]]
                : transformed(signal, start: start + part * step, step: step * factor, count: size)
        }
        return (0..<count).map { index in
            var sum = parts[0][index % size]
            // Roots of the whole length, of which this is a part: root step * k is that of `count`.
            for part in 1..<factor { sum += parts[part][index % size] * roots[part * index % count * step] }
            return sum
        }
    }

    /// About how many multiplications a transform takes.
    package static func cost(length: Int) -> Int {
        var (rest, factors) = (length, 0)
        while rest > 1 {
            let factor = leastFactor(of: rest)
            (rest, factors) = (rest / factor, factors + factor)
        }
        return length * factors
    }

    private static func leastFactor(of number: Int) -> Int {
        var factor = 2
        while factor * factor <= number {
            if number % factor == 0 { return factor }
            factor += 1
        }
        return number
    }
}

extension FourierTransform {
    /// How the rows of a tensor are transformed.
    package struct Form: Sendable {
        /// Numbers of a row that are transformed; a shorter row is filled up with zeros.
        package var length: Int
        package var isInverse: Bool
        /// The output has only the first half and the middle; of an inverse the input has, and the output is real.
        package var isOneSided: Bool

        package init(length: Int, isInverse: Bool, isOneSided: Bool) {
            (self.length, self.isInverse, self.isOneSided) = (length, isInverse, isOneSided)
        }

        /// How many numbers a transformed row has, and of how many parts each is.
        package var output: (count: Int, parts: Int) {
            isOneSided ? (isInverse ? (length, 1) : (length / 2 + 1, 2)) : (length, 2)
        }
    }

    /// Transforms along an axis of a tensor whose last axis has real, or real and imaginary, parts.
    /// - Parameter shape: of the result.
    package static func transform(_ data: Tensor, axis: Int, _ form: Form, shape: Shape) -> Tensor {
        let transform = FourierTransform(length: form.length, isInverse: form.isInverse)
        let parts = data.shape[data.shape.rank - 1]
        let numbers = Shape(Array(data.shape.dimensions.dropLast()))
        let (rows, targets) = (
            AxisRows(numbers, axis: axis), AxisRows(Shape(Array(shape.dimensions.dropLast())), axis: axis)
        )
        let elements = data.converted(to: .float64).elements(as: Double.self)
        var results = [Double](repeating: 0, count: shape.count)
        for row in 0..<rows.count {
            var signal = (0..<form.length).map { index -> (Double, Double) in
                guard index < rows.extent else { return (0, 0) }
                let place = rows.place(row: row, index) * parts
                return (elements[place], parts > 1 ? elements[place + 1] : 0)
            }
            if form.isInverse, form.isOneSided { signal.mirrorHalf() }
            let output = transform.transformed(signal)
            for index in 0..<targets.extent {
                let place = targets.place(row: row, index) * form.output.parts
                results[place] = output[index].0
                if form.output.parts > 1 { results[place + 1] = output[index].1 }
            }
        }
        return Tensor(shape: shape, results).converted(to: data.elementType)
    }
}

extension [(Double, Double)] {
    /// Makes the second half of a spectrum the mirror image of the first, as that of a real signal is.
    fileprivate mutating func mirrorHalf() {
        guard let first else { return }
        self[0] = (first.0, 0)
        if count % 2 == 0 { self[count / 2].1 = 0 }
        for index in 1..<Swift.max((count + 1) / 2, 1) { self[count - index] = (self[index].0, -self[index].1) }
    }
}

extension FourierTransform {
    /// The gradient of what `transform` has transformed, from that of its result: the transform the other way.
    /// - Parameters:
    ///   - gradient: of the result's shape, in double precision.
    ///   - shape: of what was transformed.
    package static func gradient(_ gradient: [Double], axis: Int, _ form: Form, from result: Shape, to shape: Shape)
        -> [Double]
    {
        let transform = FourierTransform(length: form.length, isInverse: !form.isInverse)
        // One of both ways divides by the length, the one that is wanted here only if the transform did.
        let scale = form.isInverse ? 1 / Double(form.length) : Double(form.length)
        let (parts, length) = (shape[shape.rank - 1], form.length)
        let numbers = { (shape: Shape) in AxisRows(Shape(Array(shape.dimensions.dropLast())), axis: axis) }
        let (rows, targets) = (numbers(shape), numbers(result))
        var results = [Double](repeating: 0, count: shape.count)
        for row in 0..<rows.count {
            var signal = [(Double, Double)](repeating: (0, 0), count: length)
            for index in 0..<targets.extent {
                let place = targets.place(row: row, index) * form.output.parts
                signal[index] = (gradient[place], form.output.parts > 1 ? gradient[place + 1] : 0)
            }
            let output = transform.transformed(signal)
            let isHalf = form.isInverse && form.isOneSided
            for index in 0..<min(rows.extent, isHalf ? length / 2 + 1 : length) {
                // Of a half, all but the first and the middle stand for their mirror images too.
                let isSingle = !isHalf || index == 0 || 2 * index == length
                let place = rows.place(row: row, index) * parts
                results[place] = output[index].0 * scale * (isSingle ? 1 : 2)
                if parts > 1 {
                    results[place + 1] = isHalf && isSingle ? 0 : output[index].1 * scale * (isSingle ? 1 : 2)
                }
            }
        }
        return results
    }
}
