import Nodes
import ONNX
import Operators

extension ONNXFile {
    /// The model's graph with the nodes of its functions in place of their calls; names of values and nodes are made unlike all
    /// others. Operators that are known stay, whatever the model defines them to be.
    /// - Throws: `GraphError` for functions that call themselves, are made of too much, or are called with what they do not take.
    package func inlinedGraph() throws -> ONNXGraphProto {
        guard !model.functions.isEmpty else { return model.graph }
        var inlining = try FunctionInlining(model)
        return try inlining.inlined(model.graph)
    }
}

private struct FunctionInlining {
    /// More nodes, or bytes of nodes, than these are refused: calls of calls multiply.
    static let nodeLimit = 100_000
    static let byteLimit = 1 << 28
    static let depthLimit = 64
    /// Of the names that others are made of; longer ones are cut.
    static let prefixLength = 100

    struct Key: Hashable {
        let domain, name, overload: String

        init(_ node: ONNXNodeProto) {
            let isDefault = Node.isDefault(domain: node.domain)
            (domain, name, overload) = (isDefault ? "" : node.domain, node.opType, node.overload)
        }

        init(_ function: ONNXFunctionProto) {
            let isDefault = Node.isDefault(domain: function.domain)
            (domain, name, overload) = (isDefault ? "" : function.domain, function.name, function.overload)
        }

        var text: String { (domain.isEmpty ? name : "\(domain).\(name)") + (overload.isEmpty ? "" : ":\(overload)") }
    }

    struct Size {
        var nodes = 0
        var bytes = 0
    }

    private var functions: [Key: ONNXFunctionProto] = [:]
    private var sizes: [Key: Size] = [:]
    private var names: FreshNames
    private let opset: Int64

    init(_ model: ONNXModelProto) throws {
        opset = model.opsetImport.first { Node.isDefault(domain: $0.domain) }?.version ?? 0
        names = FreshNames(values: Self.values(model.graph), nodes: model.graph.node.map(\.name))
        for function in model.functions {
            guard functions.updateValue(function, forKey: Key(function)) == nil else {
                throw GraphError(.duplicateValue, expected: "functions that differ", found: Key(function).text)
            }
        }
        var whole = Size()
        for call in calls(in: model.graph.node) { try add(size(of: call, path: []), to: &whole) }
    }

    /// The names of all values, those of subgraphs too.
    private static func values(_ graph: ONNXGraphProto) -> [String] {
        let own = graph.input.map(\.name) + graph.initializer.map(\.name) + graph.node.flatMap(\.output)
        return own + graph.node.flatMap(\.attribute).filter(\.hasG).flatMap { values($0.g) }
    }

    // MARK: What it comes to

    /// The function that a node calls.
    private func callee(_ node: ONNXNodeProto) -> Key? {
        let key = Key(node)
        let meaning = Node(name: "", opType: node.opType, domain: key.domain, inputs: [], outputs: [])
        return functions[key] == nil || KnownOperators.supports(meaning) ? nil : key
    }

    private func calls(in nodes: [ONNXNodeProto]) -> [Key] {
        nodes.flatMap { node in
            [callee(node)].compactMap { $0 } + node.attribute.filter(\.hasG).flatMap { calls(in: $0.g.node) }
        }
    }

    private func add(_ size: Size, to whole: inout Size) throws {
        whole.nodes += size.nodes
        whole.bytes += size.bytes
        // Each is within the limits, so that sums are far from overflowing.
        guard whole.nodes <= Self.nodeLimit, whole.bytes <= Self.byteLimit else {
            throw GraphError(
                .functionsTooLarge, expected: "at most \(Self.nodeLimit) nodes of \(Self.byteLimit) bytes",
                found: "\(whole.nodes) nodes of \(whole.bytes) bytes, or more")
        }
    }

    /// What a call comes to, calls within calls counted.
    private mutating func size(of key: Key, path: [Key]) throws -> Size {
        if let known = sizes[key] { return known }
        guard !path.contains(key), path.count < Self.depthLimit, let function = functions[key] else {
            throw GraphError(
                .recursiveFunction, expected: "at most \(Self.depthLimit) calls within calls, none of itself",
                found: key.text)
        }
        try checkOpset(of: function, key)
        var size = Size()
        for node in function.node { try add(Size(nodes: 1, bytes: node.byteCount), to: &size) }
        for call in calls(in: function.node) { try add(self.size(of: call, path: path + [key]), to: &size) }
        sizes[key] = size
        return size
    }

    /// Nodes of the default domain mean what the model's operator set says.
    private func checkOpset(of function: ONNXFunctionProto, _ key: Key) throws {
        let own = function.opsetImport.first { Node.isDefault(domain: $0.domain) }
        guard let own, own.version != opset, function.node.contains(where: { Key($0).domain.isEmpty }) else { return }
        throw GraphError(
            .unsupportedOpset, opType: key.text, expected: "functions of the model's version \(opset)",
            found: "\(own.version)")
    }

    // MARK: Putting nodes in place of calls

    mutating func inlined(_ graph: ONNXGraphProto) throws -> ONNXGraphProto {
        var result = graph
        result.node = []
        for node in graph.node {
            var node = node
            for index in node.attribute.indices where node.attribute[index].hasG {
                node.attribute[index].g = try inlined(node.attribute[index].g)
            }
            try add(node, to: &result.node)
        }
        return result
    }

    /// Adds a node that is finished but for being a call.
    private mutating func add(_ node: ONNXNodeProto, to nodes: inout [ONNXNodeProto]) throws {
        guard let key = callee(node), let function = functions[key] else { return nodes.append(node) }
        let described = Node(
            name: node.name, opType: key.text, inputs: node.input, outputs: node.output)
        guard node.input.count <= function.input.count, node.output.count <= function.output.count else {
            throw GraphError(
                .invalidInput, at: described,
                expected: "at most \(function.input.count) inputs and \(function.output.count) outputs",
                found: "\(node.input.count) and \(node.output.count)")
        }
        let base = node.name.isEmpty ? node.opType : node.name
        var body = Body(
            prefix: String(base.suffix(Self.prefixLength)), attributes: try bindings(node, function, described))
        for (index, name) in function.input.enumerated() where !name.isEmpty {
            body.values[name] = index < node.input.count ? node.input[index] : ""
        }
        // An output that is an input, or another output, is passed on.
        var copies: [(from: String, to: String)] = []
        for (name, actual) in zip(function.output, node.output) where !actual.isEmpty {
            if body.values[name] == nil { body.values[name] = actual } else { copies.append((name, actual)) }
        }
        body.define(function.node.flatMap(\.output), &names)
        for part in function.node { try add(instance(of: part, in: body, described), to: &nodes) }
        for copy in copies {
            var identity = ONNXNodeProto()
            identity.name = names.node("\(body.prefix)/Identity")
            (identity.opType, identity.input, identity.output) = ("Identity", [body.values[copy.from] ?? ""], [copy.to])
            nodes.append(identity)
        }
    }

    /// The attributes that nodes of a function may refer to, by name.
    private func bindings(
        _ call: ONNXNodeProto, _ function: ONNXFunctionProto, _ described: Node
    ) throws -> [String: ONNXAttributeProto] {
        let declared = Set(function.attribute).union(function.attributeProto.map(\.name))
        var bound = Dictionary(function.attributeProto.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
        for attribute in call.attribute {
            guard declared.contains(attribute.name) else {
                throw GraphError(.invalidAttribute, at: described, found: attribute.name)
            }
            bound[attribute.name] = attribute
        }
        return bound
    }

    /// A node of a function with the caller's names and attributes.
    private mutating func instance(
        of node: ONNXNodeProto, in body: Body, _ call: Node
    ) throws -> ONNXNodeProto {
        var result = node
        let base = node.name.isEmpty ? node.opType : node.name
        result.name = names.node("\(body.prefix)/\(base)")
        result.input = try node.input.map { try body.value($0, call) }
        result.output = try node.output.map { try body.value($0, call) }
        result.attribute = []
        for var attribute in node.attribute {
            if !attribute.refAttrName.isEmpty {
                // What the caller does not give has the operator's default.
                guard let bound = body.attributes[attribute.refAttrName] else { continue }
                let name = attribute.name
                attribute = bound
                attribute.name = name
            } else if attribute.hasG {
                attribute.g = try instance(of: attribute.g, in: body, call)
            }
            result.attribute.append(attribute)
        }
        return result
    }

    /// A subgraph of a function's node: its own values get names of their own, others are those around it.
    private mutating func instance(of graph: ONNXGraphProto, in outer: Body, _ call: Node) throws -> ONNXGraphProto {
        var (body, result) = (outer, graph)
        let own = graph.input.map(\.name) + graph.initializer.map(\.name) + graph.node.flatMap(\.output)
        for name in own { body.values[name] = nil }
        body.define(own, &names)
        for index in result.input.indices { result.input[index].name = try body.value(result.input[index].name, call) }
        for index in result.output.indices {
            result.output[index].name = try body.value(result.output[index].name, call)
        }
        for index in result.initializer.indices {
            result.initializer[index].name = try body.value(result.initializer[index].name, call)
        }
        result.valueInfo = []
        result.node = []
        for node in graph.node { try add(instance(of: node, in: body, call), to: &result.node) }
        return result
    }
}

/// One call of a function.
private struct Body {
    /// What new names begin with.
    let prefix: String
    let attributes: [String: ONNXAttributeProto]
    /// The caller's names by the function's; empty for what is absent.
    var values: [String: String] = [:]

    init(prefix: String, attributes: [String: ONNXAttributeProto]) {
        (self.prefix, self.attributes) = (prefix, attributes)
    }

    /// Gives names to values that have none.
    mutating func define(_ own: [String], _ names: inout FreshNames) {
        for name in own where !name.isEmpty && values[name] == nil { values[name] = names.value("\(prefix)/\(name)") }
    }

    /// - Throws: `GraphError(.undefinedValue)` naming the call.
    func value(_ name: String, _ call: Node) throws -> String {
        if name.isEmpty { return "" }
        guard let value = values[name] else { throw GraphError(.undefinedValue, at: call, tensor: name) }
        return value
    }
}
