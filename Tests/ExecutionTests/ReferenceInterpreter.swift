import Foundation
import Graph
import Nodes
import Operators
import Tensors

/// Computes a specialized graph by the definitions in the ONNX specification, one value after another in `Double`: the
/// slow and clear oracle for compiled plans. Knows the operators that `RandomGraph` draws.
struct ReferenceInterpreter {
    /// A value: row-major elements.
    struct Value {
        var shape: Shape
        var elements: [Double]

        /// The element at `position`, axes of extent one repeated, missing leading axes left out.
        subscript(broadcast position: [Int]) -> Double {
            let own = position.suffix(shape.rank)
            let strides = shape.strides
            return elements[
                zip(own, shape.dimensions.indices).reduce(0) { $0 + (shape[$1.1] == 1 ? 0 : $1.0) * strides[$1.1] }]
        }

        subscript(position: [Int]) -> Double {
            elements[zip(position, shape.strides).reduce(0) { $0 + $1.0 * $1.1 }]
        }

        /// The value of `shape` whose elements `element` gives.
        init(_ shape: Shape, element: ([Int]) -> Double) {
            self.shape = shape
            elements = []
            elements.reserveCapacity(shape.count)
            for index in 0..<shape.count {
                elements.append(element(zip(shape.dimensions, shape.strides).map { index / $1 % $0 }))
            }
        }

        init(_ shape: Shape, _ elements: [Double]) {
            precondition(shape.count == elements.count, "\(shape) does not have \(elements.count) elements")
            self.shape = shape
            self.elements = elements
        }

        init(_ tensor: Tensor) {
            self.init(tensor.shape, tensor.elements(as: Float.self).map(Double.init))
        }
    }

    struct Unknown: Error {
        var opType: String
    }

    let graph: SpecializedGraph

    /// All values of the graph by name.
    /// - Parameter change: what becomes of a value as soon as it is computed (an input: fed), as a tap may change it.
    func values(
        for inputs: [String: Tensor], change: (String, Value) -> Value = { $1 }
    ) throws -> [String: Value] {
        var values = graph.constants.filter { $0.value.elementType == .float32 }.mapValues(Value.init)
        for (name, tensor) in inputs { values[name] = change(name, Value(tensor)) }
        for step in graph.steps {
            let inputs = step.node.inputs.map { values[$0] }
            for (name, value) in zip(step.node.outputs, try evaluate(step, inputs)) where !name.isEmpty {
                values[name] = change(name, value)
            }
        }
        return values
    }

    private func evaluate(_ step: SpecializedGraph.Step, _ inputs: [Value?]) throws -> [Value] {
        guard let x = inputs.first.flatMap({ $0 }) else { throw Unknown(opType: step.node.opType) }
        let output = step.node.outputs.first { !$0.isEmpty } ?? ""
        let shape = graph.types[output]?.shape ?? []
        func unary(_ function: (Double) -> Double) -> [Value] { [Value(x.shape, x.elements.map(function))] }
        func binary(_ function: (Double, Double) -> Double) throws -> [Value] {
            guard let y = inputs[1] else { throw Unknown(opType: step.node.opType) }
            return [Value(shape) { function(x[broadcast: $0], y[broadcast: $0]) }]
        }
        switch step.node.opType {
        case "Relu": return unary { max($0, 0) }
        case "Sigmoid": return unary { 1 / (1 + exp(-$0)) }
        case "Exp": return unary { exp($0) }
        case "Neg": return unary { -$0 }
        case "Clip":
            let (low, high) = (inputs[1]?.elements[0] ?? -.infinity, inputs[2]?.elements[0] ?? .infinity)
            return unary { min(max($0, low), high) }
        case "Add": return try binary(+)
        case "Sub": return try binary(-)
        case "Mul": return try binary(*)
        case "Div": return try binary(/)
        case "Max": return try binary(max)
        case "Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze": return [Value(shape, x.elements)]
        case "Conv": return try [convolution(step, x, inputs, shape)]
        case "MaxPool", "AveragePool": return [pooling(step, x, shape)]
        case "GlobalAveragePool": return [globalAverage(x)]
        case "Gemm": return try [gemm(step, inputs, shape)]
        case "Concat": return [concat(step, inputs.compactMap { $0 }, shape)]
        case "Split": return try split(step, x)
        case "Transpose":
            let permutation = step.node.ints("perm") ?? []
            return [
                Value(shape) { position in
                    var source = position
                    for (target, axis) in permutation.enumerated() { source[axis] = position[target] }
                    return x[source]
                }
            ]
        default: throw Unknown(opType: step.node.opType)
        }
    }

    /// `y[n, o, p...] = b[o] + sum over i, k of x[n, i, p * stride + k * dilation - pad] * w[o, i, k]`, in groups.
    private func convolution(
        _ step: SpecializedGraph.Step, _ x: Value, _ inputs: [Value?], _ shape: Shape
    ) throws -> Value {
        guard let weight = inputs[1] else { throw Unknown(opType: "Conv") }
        let bias = inputs.count > 2 ? inputs[2] : nil
        let window = WindowReader(step.node, spatial: x.shape.rank - 2)
        let groups = step.node.int("group") ?? 1
        let (inputsPerGroup, outputsPerGroup) = (weight.shape[1], weight.shape[0] / groups)
        let kernel = Shape(Array(weight.shape.dimensions.dropFirst(2)))
        return Value(shape) { position in
            let output = position[1]
            var sum = bias?.elements[output] ?? 0
            for tap in positions(of: kernel) {
                guard let place = window.place(position, tap, in: x.shape) else { continue }
                for channel in 0..<inputsPerGroup {
                    let input = output / outputsPerGroup * inputsPerGroup + channel
                    sum += x[[position[0], input] + place] * weight[[output, channel] + tap]
                }
            }
            return sum
        }
    }

    /// The maximum, or the average of what is not padding.
    private func pooling(_ step: SpecializedGraph.Step, _ x: Value, _ shape: Shape) -> Value {
        let window = WindowReader(step.node, spatial: x.shape.rank - 2)
        let kernel = Shape(step.node.ints("kernel_shape") ?? [])
        let isMaximum = step.node.opType == "MaxPool"
        return Value(shape) { position in
            let seen = positions(of: kernel).compactMap { tap in
                window.place(position, tap, in: x.shape).map { x[[position[0], position[1]] + $0] }
            }
            return isMaximum ? seen.reduce(-.infinity, max) : seen.reduce(0, +) / Double(seen.count)
        }
    }

    private func globalAverage(_ x: Value) -> Value {
        let area = x.shape.dimensions.dropFirst(2).reduce(1, *)
        let ones = x.shape.dimensions.dropFirst(2).map { _ in 1 }
        return Value(Shape([x.shape[0], x.shape[1]] + ones)) { position in
            let start = (position[0] * x.shape[1] + position[1]) * area
            return x.elements[start..<start + area].reduce(0, +) / Double(area)
        }
    }

    private func gemm(_ step: SpecializedGraph.Step, _ inputs: [Value?], _ shape: Shape) throws -> Value {
        guard let a = inputs[0], let b = inputs[1] else { throw Unknown(opType: "Gemm") }
        let c = inputs.count > 2 ? inputs[2] : nil
        let (alpha, beta) = (step.node.float("alpha") ?? 1, step.node.float("beta") ?? 1)
        let transposesB = step.node.int("transB") == 1
        return Value(shape) { position in
            let product = (0..<a.shape[1]).reduce(0.0) { sum, k in
                sum + a[[position[0], k]] * b[transposesB ? [position[1], k] : [k, position[1]]]
            }
            return Double(alpha) * product + Double(beta) * (c?[broadcast: position] ?? 0)
        }
    }

    private func concat(_ step: SpecializedGraph.Step, _ parts: [Value], _ shape: Shape) -> Value {
        let axis = step.node.int("axis") ?? 0
        return Value(shape) { position in
            var place = position
            var part = 0
            while place[axis] >= parts[part].shape[axis] {
                place[axis] -= parts[part].shape[axis]
                part += 1
            }
            return parts[part][place]
        }
    }

    private func split(_ step: SpecializedGraph.Step, _ x: Value) throws -> [Value] {
        guard let operation = step.operator as? Split else { throw Unknown(opType: "Split") }
        let inputs = step.node.inputs.map { name in
            graph.types[name].map { OperatorInput(name: name, type: $0, constant: graph.constants[name]) }
        }
        var start = 0
        return try operation.extents(inputs: inputs).map { extent in
            var dimensions = x.shape.dimensions
            dimensions[operation.axis] = extent
            defer { start += extent }
            return Value(Shape(dimensions)) { position in
                var place = position
                place[operation.axis] += start
                return x[place]
            }
        }
    }

    private func positions(of shape: Shape) -> [[Int]] {
        (0..<shape.count).map { index in zip(shape.dimensions, shape.strides).map { index / $1 % $0 } }
    }
}

/// Where a window's elements lie, from the attributes of a node.
private struct WindowReader {
    let strides, dilations, pads: [Int]

    init(_ node: Node, spatial: Int) {
        let ones = [Int](repeating: 1, count: spatial)
        strides = node.ints("strides") ?? ones
        dilations = node.ints("dilations") ?? ones
        pads = node.ints("pads") ?? [Int](repeating: 0, count: 2 * spatial)
    }

    /// The input's spatial position below element `tap` of the window at the output's `position`; nil in the padding.
    func place(_ position: [Int], _ tap: [Int], in shape: Shape) -> [Int]? {
        let place = tap.indices.map { position[$0 + 2] * strides[$0] + tap[$0] * dilations[$0] - pads[$0] }
        return tap.indices.allSatisfy { 0..<shape[$0 + 2] ~= place[$0] } ? place : nil
    }
}

extension Node {
    fileprivate func int(_ name: String) -> Int? {
        if case .int(let value)? = attributes[name] { value } else { nil }
    }

    fileprivate func ints(_ name: String) -> [Int]? {
        if case .ints(let values)? = attributes[name] { values } else { nil }
    }

    fileprivate func float(_ name: String) -> Float? {
        if case .float(let value)? = attributes[name] { value } else { nil }
    }
}
