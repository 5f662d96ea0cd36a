import Nodes
import Operators
import TensorFunctions
import Tensors

extension Window {
    /// Calls `body` for each place of the output, in order, with the numbers of the elements of a channel that its
    /// window sees, and how many places of input and padding the window covers.
    /// - Parameters:
    ///   - input, output: [batch, channels, spatial...].
    fileprivate func forEachPlace(_ input: Shape, _ output: Shape, _ body: (Int, [Int], Int) -> Void) {
        forEachPlace(input, output, kernel: kernel ?? []) { place, taps, covered in
            body(place, taps.map(\.source), covered)
        }
    }

    /// As above, for a window whose kernel is given; with each element the number of that of the window which lies on
    /// it.
    package func forEachPlace(
        _ input: Shape, _ output: Shape, kernel: [Int],
        _ body: (Int, [(element: Int, source: Int)], Int) -> Void
    ) {
        let extents = Array(input.dimensions.dropFirst(2))
        let (begin, end) = resolvedPadding(input: extents, kernel: kernel)
        var place = 0
        Shape(Array(output.dimensions.dropFirst(2))).forEachPosition { position in
            var (taps, covered) = ([(element: 0, source: 0)], 1)
            for axis in extents.indices {
                let (first, step) = (position[axis] * stride(axis) - begin[axis], dilation(axis))
                // Of what the kernel covers: up to the end of the padding, and within the input.
                func count(below limit: Int) -> Int { min(max((limit - first + step - 1) / step, 0), kernel[axis]) }
                covered *= count(below: extents[axis] + end[axis])
                let inside = min(count(below: 0), kernel[axis])..<count(below: extents[axis])
                taps = taps.flatMap { tap in
                    inside.map {
                        (tap.element * kernel[axis] + $0, tap.source * extents[axis] + first + $0 * step)
                    }
                }
            }
            body(place, taps, covered)
            place += 1
        }
    }

    /// For each output of a maximum, the number of the element of the whole input that it is: the first of equal ones;
    /// -1 where a window sees none.
    fileprivate func maxima<Number: EvaluatedNumber>(_ data: Tensor, _ output: Shape, _: Number.Type) -> [Int] {
        let plane = data.shape.dimensions.dropFirst(2).reduce(1, *)
        let places = output.dimensions.dropFirst(2).reduce(1, *)
        var found = [Int](repeating: 0, count: output.count)
        data.withUnsafeElements(as: Number.self) { elements in
            forEachPlace(data.shape, output) { place, sources, _ in
                for channel in 0..<output.count / places {
                    guard let first = sources.first else {
                        found[channel * places + place] = -1
                        continue
                    }
                    let base = channel * plane
                    var best = base + first
                    for source in sources.dropFirst() where elements[base + source] > elements[best] {
                        best = base + source
                    }
                    found[channel * places + place] = best
                }
            }
        }
        return found
    }

    /// What `function` makes of the elements that each window sees, and of how many places it covers.
    fileprivate func reduced(
        _ data: Tensor, _ output: ValueType, _ function: (UnsafeBufferPointer<Double>, Int, [Int], Int) -> Double
    ) -> Tensor {
        let plane = data.shape.dimensions.dropFirst(2).reduce(1, *)
        let places = output.shape.dimensions.dropFirst(2).reduce(1, *)
        var results = [Double](repeating: 0, count: output.shape.count)
        data.converted(to: .float64).withUnsafeElements(as: Double.self) { elements in
            forEachPlace(data.shape, output.shape) { place, sources, covered in
                for channel in 0..<results.count / places {
                    results[channel * places + place] = function(elements, channel * plane, sources, covered)
                }
            }
        }
        return Tensor(shape: output.shape, results).converted(to: output.elementType)
    }

    /// The maxima or averages.
    fileprivate func pooled(
        _ kind: Pooling.Kind, _ data: Tensor, _ types: [ValueType], countsPadding: Bool, numbersColumnsFirst: Bool
    ) -> [Tensor]? {
        guard kind == .max else {
            guard data.elementType.isFloatingPoint else { return nil }
            return [
                reduced(data, types[0]) { elements, base, sources, covered in
                    var sum = 0.0
                    for source in sources { sum += elements[base + source] }
                    return sum / Double(max(countsPadding ? covered : sources.count, 1))
                }
            ]
        }
        guard let sources = maxima(data, types[0].shape), !sources.contains(-1) else { return nil }
        let values = data.picking(sources, shape: types[0].shape)
        guard types.count > 1 else { return [values] }
        let spatial = Shape(Array(data.shape.dimensions.dropFirst(2)))
        let plane = spatial.count
        let places = sources.map { source in
            guard numbersColumnsFirst else { return Int64(source) }
            let indices = spatial.indices(of: source % plane)
            let number = zip(indices, spatial.dimensions).reversed().reduce(0) { $0 * $1.1 + $1.0 }
            return Int64(source / plane * plane + number)
        }
        return [values, Tensor(shape: types[1].shape, places)]
    }

    /// For each output of a maximum, the number of the element of the whole input that it is; nil where the type has no
    /// order here. Each element type has a loop of its own.
    package func maxima(_ data: Tensor, _ output: Shape) -> [Int]? {
        switch data.elementType {
        case .float32: maxima(data, output, Float.self)
        case .float64: maxima(data, output, Double.self)
        case .int8: maxima(data, output, Int8.self)
        case .uint8: maxima(data, output, UInt8.self)
        case .int32: maxima(data, output, Int32.self)
        case .int64: maxima(data, output, Int64.self)
        default: nil
        }
    }
}

extension Pooling: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        window.pooled(
            kind, inputs.constants[0], types, countsPadding: countsPadding, numbersColumnsFirst: numbersColumnsFirst)
    }
}

extension GlobalPooling: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let data = inputs.constants[0]
        guard data.shape.count > 0 else { return nil }
        return Window.whole(of: data.shape)
            .pooled(kind, data, types, countsPadding: false, numbersColumnsFirst: false)
    }
}

extension NormPooling: EvaluatedOperator {
    package func evaluate(inputs: [OperatorInput?], types: [ValueType]) throws -> [Tensor]? {
        let data = inputs.constants[0]
        guard data.elementType.isFloatingPoint else { return nil }
        return [
            window(on: data.shape).reduced(data, types[0]) { elements, base, sources, _ in
                var sum = 0.0
                for source in sources { sum += power(elements[base + source].magnitude, order) }
                return order == 1 ? sum : order == 2 ? sum.squareRoot() : power(sum, 1 / Double(order))
            }
        ]
    }
}

extension MaxUnpooling: PickingRule {
    package func sources(inputs: [OperatorInput?], types: [ValueType]) throws -> [Int] {
        let (covered, output) = (try coveredShape(inputs: inputs), types[0].shape)
        var sources = [Int](repeating: -1, count: output.count)
        for (source, place) in (try node.constantInts(inputs, 1) ?? []).enumerated() {
            guard 0..<covered.count ~= place else {
                throw GraphError(
                    .invalidInput, at: node, tensor: inputs[1]?.name, expected: "places below \(covered.count)",
                    found: "\(place)")
            }
            sources[output == covered ? place : output.place(of: covered.indices(of: place))] = source
        }
        return sources
    }
}
