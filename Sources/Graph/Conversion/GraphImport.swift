import Nodes
import ONNX
import Operators
import Tensors

extension Graph {
    /// Versions of the default operator set whose semantics are known.
    public static let supportedOpsets = 7...28

    /// Reads the graph of a model file. Constant nodes become constants, initializers that are listed as inputs are no
    /// inputs, calls of the model's functions are their nodes, an Identity of a constant is that constant under another name, nodes are put into topological order and their names made unique.
    /// - Throws: `GraphError`, all unsupported op types at once in `found` of one `unsupportedOperators`; `ONNXError`
    ///   for tensors that cannot be read.
    public init(importing file: ONNXFile) throws { try self.init(importing: file, keepsUnknownOperators: false) }

    /// - Parameter keepsUnknownOperators: whether nodes stay that nobody can compute, and attributes that are not legal.
    init(importing file: ONNXFile, keepsUnknownOperators: Bool) throws {
        let proto = try file.inlinedGraph()
        let opset = try Self.opsetVersion(of: file.model)
        if !keepsUnknownOperators { try Self.checkSupport(proto) }
        var constants: [String: Tensor] = [:]
        for initializer in proto.initializer {
            guard constants.updateValue(try file.tensor(initializer), forKey: initializer.name) == nil else {
                throw GraphError(.duplicateValue, tensor: initializer.name)
            }
        }
        var nodes: [Node] = []
        for (source, name) in zip(proto.node, Self.uniqueNames(proto.node)) {
            let node = try Node(source, name: name, file: file)
            if Node.isDefault(domain: node.domain), node.opType == "Constant" {
                let value = try ConstantValue(node: node, opsetVersion: opset).value
                guard constants.updateValue(value, forKey: node.outputs[0]) == nil else {
                    throw GraphError(.duplicateValue, at: node, tensor: node.outputs[0])
                }
            } else if let value = node.identical(to: constants), constants[node.outputs[0]] == nil {
                // Exporters share equal biases in this way; a parameter should be a constant for whoever looks for it.
                constants[node.outputs[0]] = value
            } else {
                nodes.append(node)
            }
        }
        self.init(
            name: proto.name, inputs: try proto.input.filter { constants[$0.name] == nil }.map(ValueInfo.init),
            outputs: try proto.output.map { output in
                do { return try ValueInfo(output) } catch  where keepsUnknownOperators {
                    // Of strings or sequences, which nodes make that are to be listed.
                    return ValueInfo(name: output.name, elementType: .float32, dimensions: nil)
                }
            }, nodes: nodes, constants: constants, opsetVersion: opset)
        try sortTopologically()
        try keepsUnknownOperators ? validateNames() : validate()
    }

    private static func opsetVersion(of model: ONNXModelProto) throws -> Int {
        let imported = model.opsetImport.first { Node.isDefault(domain: $0.domain) }
        guard let imported, let version = Int(exactly: imported.version), supportedOpsets.contains(version) else {
            throw GraphError(
                .unsupportedOpset, expected: "\(supportedOpsets.lowerBound) to \(supportedOpsets.upperBound)",
                found: imported.map { "\($0.version)" } ?? "none")
        }
        return version
    }

    private static func checkSupport(_ proto: ONNXGraphProto) throws {
        let unsupported = proto.allNodes.map {
            Node(name: $0.name, opType: $0.opType, domain: $0.domain, inputs: [], outputs: [])
        }.filter { !KnownOperators.supports($0) }
        guard unsupported.isEmpty else {
            let types = Set(unsupported.map(\.qualifiedType)).sorted()
            throw GraphError(.unsupportedOperators, found: types.joined(separator: ", "))
        }
    }

    /// The nodes' names; a missing one is made of the op type and the position, a repeated one gets a number.
    static func uniqueNames(_ nodes: [ONNXNodeProto]) -> [String] {
        var taken = Set(nodes.map(\.name))
        var seen: Set<String> = []
        return nodes.enumerated().map { index, node in
            if !node.name.isEmpty, seen.insert(node.name).inserted { return node.name }
            let base = node.name.isEmpty ? "\(node.opType)_\(index)" : node.name
            var name = base
            var number = 1
            while name == node.name || taken.contains(name) {
                name = "\(base)_\(number)"
                number += 1
            }
            taken.insert(name)
            return name
        }
    }

    /// Puts the nodes into topological order; nodes that are in order stay as they are.
    /// - Throws: `GraphError(.cycle)` naming a node on a cycle. Undefined names are left to `validate`.
    mutating func sortTopologically() throws {
        let uses = ValueUses(self)
        var waiting = nodes.map { node in Set(node.uses.compactMap { uses.producers[$0] }).count }
        var ready = IndexQueue(waiting.indices.filter { waiting[$0] == 0 })
        var order: [Int] = []
        while let next = ready.popFirst() {
            order.append(next)
            let users = Set(nodes[next].outputs.flatMap { $0.isEmpty ? [] : uses.consumers[$0] ?? [] })
            for user in users where uses.produces(next, anyInputOf: nodes[user]) {
                waiting[user] -= 1
                if waiting[user] == 0 { ready.insert(user) }
            }
        }
        guard order.count == nodes.count else {
            let rest = Set(nodes.indices).subtracting(order)
            throw GraphError(.cycle, at: nodes[rest.min() ?? 0])
        }
        nodes = order.map { nodes[$0] }
    }
}

extension Node {
    /// The constant that an Identity passes on.
    fileprivate func identical(to constants: [String: Tensor]) -> Tensor? {
        guard opType == "Identity", domain.isEmpty, inputs.count == 1, outputs.count == 1 else { return nil }
        return constants[inputs[0]]
    }
}

extension ValueUses {
    /// Whether `producer` counts among the producers of the node's inputs (a name that two nodes make has one producer).
    fileprivate func produces(_ producer: Int, anyInputOf node: Node) -> Bool {
        node.uses.contains { producers[$0] == producer }
    }
}

extension ONNXGraphProto {
    /// Its nodes, and those of the graphs in them.
    fileprivate var allNodes: [ONNXNodeProto] {
        node + node.flatMap(\.attribute).filter { $0.hasG }.flatMap(\.g.allNodes)
    }
}

/// Indices, smallest first: a binary heap.
private struct IndexQueue {
    private var heap: [Int] = []

    init(_ ascending: [Int]) { heap = ascending }

    mutating func insert(_ value: Int) {
        heap.append(value)
        var child = heap.count - 1
        while child > 0, heap[(child - 1) / 2] > heap[child] {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func popFirst() -> Int? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        guard !heap.isEmpty else { return first }
        heap[0] = last
        var parent = 0
        while 2 * parent + 1 < heap.count {
            let left = 2 * parent + 1
            let child = left + 1 < heap.count && heap[left + 1] < heap[left] ? left + 1 : left
            guard heap[child] < heap[parent] else { break }
            heap.swapAt(child, parent)
            parent = child
        }
        return first
    }
}
