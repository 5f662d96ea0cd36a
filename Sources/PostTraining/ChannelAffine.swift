import Graph
import Nodes
import Operators
import Tensors

/// A batch normalization with constant parameters, as what it is at inference: x * scale + offset for each channel.
struct ChannelAffine {
    /// gamma / sqrt(variance + epsilon)
    let scale: [Double]
    /// beta - mean * scale
    let offset: [Double]
    /// Beta: the mean of the output, where the statistics are those of the input.
    let mean: [Double]
    /// |gamma|: the standard deviation of the output.
    let deviation: [Double]

    var channels: Int { scale.count }

    /// Nil where the node is no batch normalization at inference with constant float32 parameters.
    init?(_ node: Node, _ graph: Graph) {
        guard node.opType == "BatchNormalization",
            let norm = try? KnownOperators.make(node: node, opsetVersion: graph.opsetVersion) as? BatchNormalization
        else { return nil }
        let parameters = node.inputs[1...4].compactMap { graph.floats($0) }
        guard parameters.count == 4, Set(parameters.map(\.count)).count == 1 else { return nil }
        var scale: [Double] = []
        var offset: [Double] = []
        for channel in parameters[0].indices {
            let deviation = (Double(parameters[3][channel]) + Double(norm.epsilon)).squareRoot()
            scale.append(Double(parameters[0][channel]) / deviation)
            offset.append(Double(parameters[1][channel]) - Double(parameters[2][channel]) * scale[channel])
        }
        self.scale = scale
        self.offset = offset
        mean = parameters[1].map { Double($0) }
        deviation = parameters[0].map { Double($0.magnitude) }
    }
}

extension Graph {
    /// The elements of a float32 constant.
    func floats(_ name: String) -> [Float]? {
        guard let tensor = constants[name], tensor.elementType == .float32 else { return nil }
        return tensor.elements(as: Float.self)
    }

    /// Takes mean and variance of every batch normalization into its scale and bias; mean is then 0, variance 1 and
    /// epsilon 0. A parameter that others still use gets a new name here.
    /// - Parameter kept: names of constants; what has one of them stays as it is.
    mutating func absorbStatistics(keeping kept: Set<String>) {
        var names = FreshNames(self)
        var users: [String: Set<Int>] = [:]
        for (index, node) in nodes.enumerated() {
            for name in node.uses { users[name, default: []].insert(index) }
        }
        for index in nodes.indices where kept.isDisjoint(with: nodes[index].inputs.dropFirst()) {
            guard let affine = ChannelAffine(nodes[index], self) else { continue }
            let zeros = [Float](repeating: 0, count: affine.channels)
            let ones = [Float](repeating: 1, count: affine.channels)
            let values = [affine.scale.map { Float($0) }, affine.offset.map { Float($0) }, zeros, ones]
            for (position, value) in zip(1...4, values) {
                let old = nodes[index].inputs[position]
                let repeated = nodes[index].inputs.filter { $0 == old }.count > 1
                users[old]?.remove(index)
                let shared = users[old].map { !$0.isEmpty } ?? false
                let name = shared || repeated || isOutput(old) ? names.value(old) : old
                constants[name] = Tensor(shape: [value.count], value)
                nodes[index].inputs[position] = name
            }
            nodes[index].attributes["epsilon"] = .float(0)
        }
    }
}
