import Graph
import Nodes
import Operators
import Tensors

/// A small network drawn from a seed: convolutions, pools, element-wise functions, concatenations, reshapes and fully
/// connected layers over shared values, with one to four outputs. Channel counts are odd on purpose, so that blocked
/// layouts have padding; operators for which f(0) is not zero follow, so that padding must be kept zero.
struct RandomGraph {
    private(set) var graph: Graph
    private(set) var inputs: [String: Tensor] = [:]
    private var random: CounterRandom
    /// Values so far that an operator may use, with their shapes.
    private var values: [(name: String, shape: Shape)] = []
    private var count = 0

    init(seed: UInt64, steps: Int = 14) {
        random = CounterRandom(key: 0x6772_6170, seed)
        graph = Graph(name: "random", inputs: [], outputs: [], nodes: [], constants: [:], opsetVersion: 17)
        let samples = pick([1, 1, 2, 3])
        let extent = pick([4, 5, 7])
        for index in 0..<pick([1, 1, 2]) {
            let shape = Shape([samples, pick([1, 3, 5, 8, 16]), extent, extent])
            addInput("input\(index)", shape)
        }
        for _ in 0..<steps { addStep() }
        // Outputs from anywhere, so that values in the middle of fusable chains are among them, and the last one.
        var outputs: Set<String> = [values[values.count - 1].name]
        for _ in 0..<pick([0, 1, 2, 3]) { outputs.insert(pick(values).name) }
        for value in values where outputs.contains(value.name) {
            graph.outputs.append(ValueInfo(name: value.name, elementType: .float32, dimensions: nil))
        }
    }

    // MARK: Drawing

    private mutating func pick<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: elements.indices, using: &random)]
    }

    /// Recent values more often than old ones, so that chains grow.
    private mutating func pickValue(rank: Int? = nil) -> (name: String, shape: Shape)? {
        let fitting = values.filter { rank == nil || $0.shape.rank == rank }
        guard !fitting.isEmpty else { return nil }
        return Int.random(in: 0..<3, using: &random) == 0 ? pick(fitting) : pick(Array(fitting.suffix(3)))
    }

    private mutating func tensor(_ shape: Shape, scale: Float = 1) -> Tensor {
        Tensor(shape: shape, (0..<shape.count).map { _ in random.normal() * scale })
    }

    private mutating func addInput(_ name: String, _ shape: Shape) {
        graph.inputs.append(
            ValueInfo(name: name, elementType: .float32, dimensions: shape.dimensions.map { .fixed($0) }))
        inputs[name] = tensor(shape)
        values.append((name, shape))
    }

    private mutating func constant(_ tensor: Tensor) -> String {
        let name = "constant\(graph.constants.count)"
        graph.constants[name] = tensor
        return name
    }

    @discardableResult
    private mutating func node(
        _ opType: String, _ inputs: [String], _ shape: Shape, _ attributes: [String: Attribute] = [:]
    ) -> String {
        nodes(opType, inputs, [shape], attributes)[0]
    }

    @discardableResult
    private mutating func nodes(
        _ opType: String, _ inputs: [String], _ shapes: [Shape], _ attributes: [String: Attribute] = [:]
    ) -> [String] {
        let outputs = shapes.map { _ in
            count += 1
            return "v\(count)"
        }
        graph.nodes.append(
            Node(name: "\(opType)\(count)", opType: opType, inputs: inputs, outputs: outputs, attributes: attributes))
        for (name, shape) in zip(outputs, shapes) { values.append((name, shape)) }
        return outputs
    }

    private mutating func addStep() {
        guard let (x, shape) = pickValue() else { return }
        switch (Int.random(in: 0..<17, using: &random), shape.rank) {
        case (0...3, 4): addConvolution(x, shape)
        case (4, 4), (4, 2): node("Relu", [x], shape)
        case (5, 4), (5, 2): addAddition(x, shape)
        case (6, 4), (6, 2): addAddition(x, shape)
        case (7, 4): addPool(x, shape)
        case (8, _): addConcat(x, shape)
        case (9, 4): node("Flatten", [x], [shape[0], shape.count / shape[0]], ["axis": .int(1)])
        case (9...10, 2): addGemm(x, shape)
        case (10, _): node("Relu", [x], shape)
        case (11, _): addPositive(x, shape)
        case (12, _): addDivision(x, shape)
        case (13, _): addBroadcast(x, shape)
        case (14, 4): addSplit(x, shape)
        case (14, 2): addReshape(x, shape)
        case (15, 4): addReshape(x, shape)
        case (16, 4): addTranspose(x, shape)
        default: node(pick(["Relu", "Sigmoid", "Neg", "Identity"]), [x], shape)
        }
    }

    // MARK: Steps

    private mutating func addConvolution(_ x: String, _ shape: Shape) {
        let depthwise = pick([true, false, false])
        let outputs = depthwise ? shape[1] : pick([1, 3, 5, 8, 12, 16])
        let kernel = min(pick([1, 3, 3]), shape[2], shape[3])
        let padding = kernel / 2
        let groups = depthwise ? shape[1] : 1
        let inputs = shape[1] / groups
        let scale = 1 / Float(inputs * kernel * kernel).squareRoot()
        let weight = constant(tensor([outputs, inputs, kernel, kernel], scale: scale))
        let bias = pick([true, false]) ? [constant(tensor([outputs]))] : []
        let y = node(
            "Conv", [x, weight] + bias,
            [shape[0], outputs, shape[2] + 2 * padding - kernel + 1, shape[3] + 2 * padding - kernel + 1],
            [
                "group": .int(groups), "kernel_shape": .ints([kernel, kernel]),
                "pads": .ints([padding, padding, padding, padding]),
            ])
        let target = values[values.count - 1].shape
        // What fusion looks for, often.
        switch pick([0, 1, 2, 3, 4, 5]) {
        case 0: node("Relu", [y], target)
        case 1: addAddition(y, target)
        case 2:
            addAddition(y, target)
            node("Relu", [values[values.count - 1].name], target)
        case 3: node("Sigmoid", [y], target)
        default: break
        }
    }

    private mutating func addAddition(_ x: String, _ shape: Shape) {
        let same = values.filter { $0.shape == shape }
        let other = pick(same).name
        node("Add", pick([true, false]) ? [x, other] : [other, x], shape)
    }

    private mutating func addBroadcast(_ x: String, _ shape: Shape) {
        let opType = pick(["Add", "Mul", "Sub"])
        switch pick([0, 1, 2]) {
        case 0 where shape.rank == 4:
            let mean = node("GlobalAveragePool", [x], [shape[0], shape[1], 1, 1])
            node(opType, [x, mean], shape)
        case 1 where shape.rank == 4: node(opType, [x, constant(tensor([shape[1], 1, 1]))], shape)
        case 2: node(opType, [constant(tensor(shape)), x], shape)
        default: node(opType, [x, constant(tensor([shape[shape.rank - 1]]))], shape)
        }
    }

    /// exp(clip(x, -2, 2)): 1 for zero.
    private mutating func addPositive(_ x: String, _ shape: Shape) {
        let bounds = [constant(Tensor(scalar: Float(-2))), constant(Tensor(scalar: Float(2)))]
        node("Exp", [node("Clip", [x] + bounds, shape)], shape)
    }

    /// x / clip(y, 0.5, 2): 0 / 0 in padding, unless it is kept out of the computation.
    private mutating func addDivision(_ x: String, _ shape: Shape) {
        let y = pick(values.filter { $0.shape == shape }).name
        let bounds = [constant(Tensor(scalar: Float(0.5))), constant(Tensor(scalar: Float(2)))]
        let bounded = node("Clip", [y] + bounds, shape)
        node("Div", [x, bounded], shape)
    }

    private mutating func addPool(_ x: String, _ shape: Shape) {
        guard shape[2] > 2, shape[3] > 2 else { return }
        let stride = pick([1, 2])
        node(
            pick(["MaxPool", "AveragePool"]), [x],
            [shape[0], shape[1], (shape[2] - 1) / stride + 1, (shape[3] - 1) / stride + 1],
            [
                "kernel_shape": .ints([3, 3]), "pads": .ints([1, 1, 1, 1]), "strides": .ints([stride, stride]),
            ])
    }

    private mutating func addConcat(_ x: String, _ shape: Shape) {
        let fitting = values.filter { other in
            other.shape.rank == shape.rank
                && shape.dimensions.indices.allSatisfy { $0 == 1 || other.shape[$0] == shape[$0] }
        }
        let other = pick(fitting)
        guard shape[1] + other.shape[1] <= 600 else { return }
        var target = shape.dimensions
        target[1] += other.shape[1]
        node("Concat", [x, other.name], Shape(target), ["axis": .int(1)])
    }

    private mutating func addSplit(_ x: String, _ shape: Shape) {
        guard shape[1] >= 3 else { return }
        let extents = [1, shape[1] - 2, 1]
        let sizes = constant(Tensor(shape: [3], extents.map(Int64.init)))
        nodes(
            "Split", [x, sizes], extents.map { Shape([shape[0], $0, shape[2], shape[3]]) }, ["axis": .int(1)])
    }

    private mutating func addReshape(_ x: String, _ shape: Shape) {
        var target = [shape[0], shape.count / shape[0]]
        if shape.rank == 2 {
            let height = [7, 5, 4, 3, 2, 1].first { shape[1] % ($0 * $0) == 0 } ?? 1
            target = [shape[0], shape[1] / (height * height), height, height]
        }
        node("Reshape", [x, constant(Tensor(shape: [target.count], target.map(Int64.init)))], Shape(target))
    }

    private mutating func addTranspose(_ x: String, _ shape: Shape) {
        let permutation = pick([[0, 1, 3, 2], [0, 2, 3, 1], [0, 3, 1, 2]])
        node("Transpose", [x], Shape(permutation.map { shape[$0] }), ["perm": .ints(permutation)])
    }

    private mutating func addGemm(_ x: String, _ shape: Shape) {
        let outputs = pick([1, 4, 10, 17])
        let transposes = pick([true, false])
        let scale = 1 / Float(shape[1]).squareRoot()
        let weight = constant(
            tensor(transposes ? [outputs, shape[1]] : [shape[1], outputs], scale: scale))
        let bias = pick([true, false]) ? [constant(tensor([outputs]))] : []
        node(
            "Gemm", [x, weight] + bias, [shape[0], outputs],
            ["transB": .int(transposes ? 1 : 0), "alpha": .float(pick([1, 0.5])), "beta": .float(pick([1, 2]))])
    }
}
