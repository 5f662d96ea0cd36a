import Graph
import Nodes
import ONNX
import Operators
import Quantization
import Tensors

/// The graph as integer runtimes take it: with QuantizeLinear and DequantizeLinear nodes where the simulation rounds.
///
/// - Every value with an encoding goes through a pair of them, and all who take it take what comes out. Names of inputs and
///   outputs stay.
/// - Every constant with an encoding is stored as integers, with a DequantizeLinear that has the constant's name.
/// - Biases of quantized layers become int32 on the grid of the layer's products, where that holds them.
/// - A grid that is narrower than its integer type has a Clip before it is rounded.
/// - Values of half precision are cast to it and back, constants stored so.
///
/// The operator set is raised to the one that has the types: 10, 11 with a Clip, 13 for scales per channel, 21 for 4 and 16
/// bits and for blocks.
public enum QDQExport {
    /// - Parameters:
    ///   - activations: by tensor name; one encoding each.
    ///   - parameters: by initializer name; with axes where there is one encoding per channel.
    /// - Throws: `SimulationError` for grids that ONNX has no type for, `QuantizationError` where encodings do not fit.
    public static func graph(
        _ graph: Graph, activations: [String: TensorEncodings], parameters: [String: TensorEncodings]
    ) throws -> Graph {
        var grids: [String: IntegerGrid] = [:]
        var halves: Set<String> = []
        let encodings = activations.merging(parameters) { $1 }
        for (name, encodings) in encodings.sorted(by: { $0.key < $1.key }) {
            // As in the simulation, which rounds constants of float32 alone.
            if let constant = graph.constants[name], constant.elementType != .float32 { continue }
            if encodings.dataType == .float16 {
                halves.insert(name)
            } else {
                grids[name] = try IntegerGrid(encodings, tensor: name)
            }
        }
        let values = grids.filter { graph.constants[$0.key] == nil }
        let opset = [
            grids.values.map(\.opsetVersion).max() ?? 0, values.values.contains { $0.bounds != nil } ? 11 : 0,
        ]
        var builder = QDQBuilder(graph.raisingOpset(to: max(opset[0], opset[1])), grids, halves)
        return try builder.built()
    }
}

private struct QDQBuilder {
    private let source: Graph
    private let grids: [String: IntegerGrid]
    /// Tensors of half precision.
    private let halves: Set<String>
    private let layers: LayerBiases
    private var names: FreshNames
    private var result: Graph
    /// What those who took a value take now.
    private var replacements: [String: String] = [:]
    private var written: Set<String> = []
    private var biases: [String: [(scales: [Float], name: String)]] = [:]

    init(_ graph: Graph, _ grids: [String: IntegerGrid], _ halves: Set<String>) {
        source = graph
        self.grids = grids
        self.halves = halves
        layers = LayerBiases(graph, encodings: grids.mapValues(\.encodings))
        names = FreshNames(graph)
        result = graph
        result.nodes = []
    }

    mutating func built() throws -> Graph {
        for input in source.inputs {
            guard isRounded(input.name) else { continue }
            guard !source.isOutput(input.name) else {
                throw SimulationError(.quantizedInputIsOutput, tensor: input.name)
            }
            addPair(from: input.name, of: input.name)
        }
        for node in source.nodes {
            let bias = quantizedBias(of: node)
            for name in node.uses { try addConstant(name) }
            var rewritten = node.renamingCaptures(replacements)
            rewritten.inputs = node.inputs.map { replacements[$0] ?? $0 }
            if let bias { rewritten.inputs[2] = bias }
            // An output keeps its name, and what is rounded to become it gets another.
            for (index, name) in node.outputs.enumerated() where isRounded(name) && source.isOutput(name) {
                rewritten.outputs[index] = names.value("\(name)_unquantized")
            }
            result.nodes.append(rewritten)
            for (name, made) in zip(node.outputs, rewritten.outputs) {
                if isRounded(name) { addPair(from: made, of: name) }
            }
        }
        for output in source.outputs { try addConstant(output.name) }
        let left = ValueUses(result)
        for bias in biases.keys where !left.isUsed(bias) { result.constants[bias] = nil }
        return result
    }

    private func isRounded(_ tensor: String) -> Bool { grids[tensor] != nil || halves.contains(tensor) }

    /// Rounds the value `made` under the name of `tensor`, which it is or will be.
    private mutating func addPair(from made: String, of tensor: String) {
        let output = made == tensor ? names.value("\(tensor)_qdq") : tensor
        if output != tensor { replacements[tensor] = output }
        guard let grid = grids[tensor] else {
            let half = names.value("\(tensor)_float16")
            addNode("Cast", of: tensor, [made], half, ["to": .int(ElementType.float16.onnxCode)])
            addNode("Cast", of: tensor, [half], output, ["to": .int(ElementType.float32.onnxCode)])
            return
        }
        var input = made
        if let bounds = grid.bounds {
            let (low, high) = (names.value("\(tensor)_min"), names.value("\(tensor)_max"))
            result.constants[low] = Tensor(scalar: bounds.lowerBound)
            result.constants[high] = Tensor(scalar: bounds.upperBound)
            input = names.value("\(tensor)_clipped")
            addNode("Clip", of: tensor, [made, low, high], input)
        }
        let operands = addOperands(grid, of: tensor)
        let quantized = names.value("\(tensor)_q")
        addNode("QuantizeLinear", of: tensor, [input] + operands, quantized, grid.attributes)
        addNode("DequantizeLinear", of: tensor, [quantized] + operands, output, grid.attributes)
    }

    /// Stores a constant as integers, or in half precision, before the first node that takes it.
    private mutating func addConstant(_ name: String) throws {
        guard isRounded(name), let constant = source.constants[name], written.insert(name).inserted else { return }
        guard let grid = grids[name] else {
            let half = names.value("\(name)_float16")
            result.constants[name] = nil
            result.constants[half] = Tensor(
                shape: constant.shape, constant.elements(as: Float.self).map { Float16($0) })
            addNode("Cast", of: name, [half], name, ["to": .int(ElementType.float32.onnxCode)])
            return
        }
        let quantized = names.value("\(name)_q")
        result.constants[name] = nil
        result.constants[quantized] = try grid.quantized(constant)
        addNode(
            "DequantizeLinear", of: name, [quantized] + addOperands(grid, of: name, constant.shape), name,
            grid.attributes)
    }

    /// - Returns: what the node takes as its bias where that is stored as integers. Nodes with other scales have their own.
    private mutating func quantizedBias(of node: Node) -> String? {
        guard var grid = layers.grid(of: node), let constant = source.constants[grid.bias] else { return nil }
        // ONNX Runtime would itself bring a float bias to the grid of the products, and beyond int32. No kernel computes 16-bit
        // weights in integers, so there any grid will do.
        let isWide = grids[node.inputs[1]].map { $0.elementType == .int16 || $0.elementType == .uint16 } ?? false
        if isWide, grid.quantized(constant) == nil { grid = BiasGrid(holding: constant, named: grid.bias) }
        guard let quantized = grid.quantized(constant) else { return nil }
        if let known = biases[grid.bias]?.first(where: { $0.scales == grid.scales }) { return known.name }
        let integers = names.value("\(grid.bias)_q")
        result.constants[integers] = quantized
        let scale = names.value("\(grid.bias)_scale")
        result.constants[scale] = Tensor(shape: grid.scales.count > 1 ? [grid.scales.count] : [], grid.scales)
        // The name is free where nobody else takes the bias as it was.
        let isAlone = layers.isTakenOnce(grid.bias)
        let name = isAlone ? grid.bias : names.value("\(grid.bias)_qdq")
        if isAlone { result.constants[grid.bias] = nil }
        addNode(
            "DequantizeLinear", of: grid.bias, [integers, scale], name,
            grid.scales.count > 1 ? ["axis": .int(0)] : [:])
        biases[grid.bias, default: []].append((grid.scales, name))
        return name
    }

    /// - Returns: names of scale and zero point.
    private mutating func addOperands(_ grid: IntegerGrid, of tensor: String, _ shape: Shape? = nil) -> [String] {
        let operands = [names.value("\(tensor)_scale"), names.value("\(tensor)_zero_point")]
        result.constants[operands[0]] = grid.scale(for: shape)
        result.constants[operands[1]] = grid.zeroPoint(for: shape)
        return operands
    }

    private mutating func addNode(
        _ opType: String, of tensor: String, _ inputs: [String], _ output: String,
        _ attributes: [String: Attribute] = [:]
    ) {
        result.nodes.append(
            Node(
                name: names.node("\(tensor)_\(opType)"), opType: opType, inputs: inputs, outputs: [output],
                attributes: attributes))
    }
}
