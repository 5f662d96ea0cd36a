import Nodes
import Operators
import Tensors

extension Graph {
    /// The same computation in the words of a later operator set.
    ///
    /// Of the operators that are known, these changed from version 7 to 28 in a way that their nodes show, and are rewritten:
    /// - 9: Upsample takes its scales as an input; 10: it is a Resize, TopK takes k as an input; Slice its bounds; 11: Clip its bounds, Pad its amounts and value, Scatter is ScatterElements,
    ///   and Resize says how it had mapped places;
    /// - 12: Dropout has no attribute `ratio`;
    /// - 13: Squeeze, Unsqueeze, ReduceSum and Split take their axes and extents as inputs; Softmax, LogSoftmax and Hardmax go along
    ///   one axis where they had taken all axes from it on;
    /// - 14: BatchNormalization has one output unless it trains;
    /// - 16: RoiAlign says that it had not shifted places;
    /// - 18: the other reductions take their axes as an input, and Split says into how many parts it cuts;
    /// - 20: DFT takes its axis as an input, and GridSample has other names for what it was;
    /// - 21: GroupNormalization has a scale and a bias for each channel where it had them for each group.
    ///
    /// The rest of the changes are further element types, optional inputs and attributes with defaults that mean what was.
    /// - Parameter version: where it is not later than the graph's, the graph is returned as it is. At most 28.
    public func raisingOpset(to version: Int) -> Graph {
        precondition(version <= Self.supportedOpsets.upperBound, "operator set \(version) is not known")
        guard version > opsetVersion else { return self }
        var raising = OpsetRaising(self, to: version)
        for node in nodes { raising.add(node) }
        return raising.raised
    }
}

private struct OpsetRaising {
    var raised: Graph
    private let from: Int
    private let uses: ValueUses
    private var names: FreshNames

    init(_ graph: Graph, to version: Int) {
        raised = graph
        raised.nodes = []
        raised.opsetVersion = version
        from = graph.opsetVersion
        uses = ValueUses(graph)
        names = FreshNames(graph)
    }

    /// Whether the graph passes this version on its way.
    private func passes(_ version: Int) -> Bool { from < version && version <= raised.opsetVersion }

    mutating func add(_ original: Node) {
        var node = original
        for (key, body) in node.subgraphs { node.attributes[key] = .graph(raise(body)) }
        guard node.domain.isEmpty else { return raised.nodes.append(node) }
        switch node.opType {
        case "Slice" where passes(10): moveToInputs(["starts", "ends", "axes"], of: &node)
        case "Clip" where passes(11): moveToInputs(["min", "max"], of: &node)
        case "Pad" where passes(11): moveToInputs(["pads", "value"], of: &node)
        case "Dropout" where passes(12): node.attributes["ratio"] = nil
        case "Squeeze", "Unsqueeze", "ReduceSum": if passes(13) { moveToInputs(["axes"], of: &node) }
        case "Upsample", "Resize": raiseResampling(&node)
        case "TopK" where passes(10):
            if case .int(let count)? = node.attributes["k"] { node.attributes["k"] = .ints([count]) }
            moveToInputs(["k"], of: &node)
        case "Scatter" where passes(11): node.opType = "ScatterElements"
        case "RoiAlign" where passes(16):
            node.attributes["coordinate_transformation_mode"] = .string("output_half_pixel")
        case "DFT" where passes(20):
            node.attributes["axis"] = node.attributes["axis"] ?? .int(1)
            // The length has been an input always.
            moveToInputs(["dft_length", "axis"], of: &node)
        case "GridSample" where passes(20):
            if case .string(let mode)? = node.attributes["mode"], mode.hasPrefix("bi") {
                node.attributes["mode"] = .string(String(mode.dropFirst(2)))
            }
        case "Softmax", "LogSoftmax", "Hardmax":
            if passes(13), node.attributes["axis"] != .int(-1) { return addFlattened(node) }
        case "BatchNormalization" where passes(14):
            node = node.withoutUnusedOutputs(uses)
            while node.outputs.last == "" { node.outputs.removeLast() }
        case "Split":
            if passes(13) { moveToInputs(["split"], of: &node) }
            let hasExtents = node.inputs.count > 1 && !node.inputs[1].isEmpty
            if passes(18), !hasExtents { node.attributes["num_outputs"] = .int(node.outputs.count) }
        case "GroupNormalization" where passes(21): spreadGroups(&node)
        case let type where Reduce.opTypes.contains(type) && passes(18): moveToInputs(["axes"], of: &node)
        default: break
        }
        raised.nodes.append(node)
    }

    private func raise(_ body: Subgraph) -> Subgraph {
        let outputs = body.outputs.map { ValueInfo(name: $0, elementType: .float32, dimensions: nil) }
        let graph = Graph(
            name: "", inputs: [], outputs: outputs, nodes: body.nodes, constants: body.constants, opsetVersion: from
        ).raisingOpset(to: raised.opsetVersion)
        return Subgraph(inputs: body.inputs, outputs: body.outputs, nodes: graph.nodes, constants: graph.constants)
    }

    /// Makes constants of attributes, inputs 1 and on of the node in this order.
    private mutating func moveToInputs(_ attributes: [String], of node: inout Node) {
        for (index, name) in attributes.enumerated() {
            guard let attribute = node.attributes.removeValue(forKey: name), let tensor = attribute.tensor else {
                continue
            }
            while node.inputs.count <= index { node.inputs.append("") }
            let constant = names.value("\(node.name)_\(name)")
            raised.constants[constant] = tensor
            node.inputs.append(constant)
        }
    }

    /// Repeats the scales and biases of groups for the channels that the groups have.
    private mutating func spreadGroups(_ node: inout Node) {
        guard case .int(let groups)? = node.attributes["num_groups"] else { return }
        func constant(_ number: Int, _ name: String) -> String {
            let value = names.value("\(node.name)_\(name)")
            raised.constants[value] = Tensor(shape: [1], [Int64(number)])
            return value
        }
        let (count, last, flat) = (constant(groups, "groups"), constant(1, "axis"), constant(-1, "flat"))
        let (shape, size) = (names.value("\(node.name)_channels"), names.value("\(node.name)_channels_of_group"))
        add(
            "Shape", of: [node.inputs[0]], giving: shape, ["start": .int(1), "end": .int(2)], beside: node)
        add("Div", of: [shape, count], giving: size, beside: node)
        for index in 1...2 {
            let steps = ["column", "rows", "all"].map { names.value("\(node.inputs[index])_\($0)") }
            add("Unsqueeze", of: [node.inputs[index], last], giving: steps[0], beside: node)
            add("Expand", of: [steps[0], size], giving: steps[1], beside: node)
            add("Reshape", of: [steps[1], flat], giving: steps[2], beside: node)
            node.inputs[index] = steps[2]
        }
    }

    private mutating func raiseResampling(_ node: inout Node) {
        if node.opType == "Upsample" {
            if passes(9) { moveToInputs(["scales"], of: &node) }
            guard passes(10) else { return }
            node.opType = "Resize"
        }
        guard passes(11) else { return }
        node.inputs.insert("", at: 1)
        node.attributes["coordinate_transformation_mode"] = .string("asymmetric")
        node.attributes["nearest_mode"] = .string("floor")
    }

    /// Softmax over all axes from `axis` on: of a matrix, which is given its shape again.
    private mutating func addFlattened(_ node: Node) {
        var product = node
        let axis = node.attributes["axis"] ?? .int(1)
        let flat = names.value("\(node.name)_flat")
        let result = names.value("\(node.name)_result")
        let shape = names.value("\(node.name)_shape")
        product.attributes["axis"] = .int(-1)
        (product.inputs, product.outputs) = ([flat], [result])
        add("Flatten", of: node.inputs, giving: flat, ["axis": axis], beside: node)
        raised.nodes.append(product)
        add("Shape", of: node.inputs, giving: shape, beside: node)
        add("Reshape", of: [result, shape], giving: node.outputs[0], beside: node)
    }

    private mutating func add(
        _ opType: String, of inputs: [String], giving output: String, _ attributes: [String: Attribute] = [:],
        beside node: Node
    ) {
        raised.nodes.append(
            Node(
                name: names.node("\(node.name)_\(opType)"), opType: opType, inputs: inputs, outputs: [output],
                attributes: attributes))
    }
}

extension Attribute {
    /// A number or a list of numbers as a constant.
    fileprivate var tensor: Tensor? {
        switch self {
        case .int(let value): Tensor(scalar: Int64(value))
        case .float(let value): Tensor(scalar: value)
        case .ints(let values): Tensor(shape: [values.count], values.map { Int64($0) })
        case .floats(let values): Tensor(shape: [values.count], values)
        case .tensor(let value): value
        case .string, .strings, .graph: nil
        }
    }
}
