import Operators
import Tensors

/// What is known while a graph is specialized, node after node.
struct Specialization {
    /// A folded value larger than this is refused: a few bytes of a file could otherwise ask for any amount of memory.
    static let maximumFoldedBytes = 1 << 32

    private(set) var constants: [String: Tensor]
    private var types: [String: ValueType]
    private var steps: [SpecializedGraph.Step] = []
    private let opsetVersion: Int
    /// Why each node was left out that cannot be computed with the inputs that it has here.
    private var refused: [GraphError] = []
    /// Whether any node was folded: else every node and constant that was useful is still.
    private var hasFolded = false

    init(_ useful: UsefulNodes, inputTypes: [String: ValueType], opsetVersion: Int) {
        constants = useful.constants
        types = Dictionary(minimumCapacity: constants.count + useful.nodes.count + inputTypes.count)
        for (name, constant) in constants { types[name] = ValueType(constant.elementType, constant.shape) }
        types.merge(inputTypes) { constant, _ in constant }
        self.opsetVersion = opsetVersion
        steps.reserveCapacity(useful.nodes.count)
    }

    init(foldingConstantsOf graph: Graph) {
        constants = graph.constants
        types = graph.constants.mapValues { ValueType($0.elementType, $0.shape) }
        opsetVersion = graph.opsetVersion
    }

    /// Folds the nodes or adds them as steps, in order.
    /// - Throws: `GraphError`; where nodes are not computed with their inputs, one that lists the op types of all of them.
    mutating func add(_ nodes: [Node]) throws {
        for node in nodes {
            do {
                try add(node)
            } catch let error as GraphError where [.unsupportedOperators, .unknownParameter].contains(error.code) {
                refused.append(error)
            } catch  where !refused.isEmpty {
                // What else is wrong may come of the nodes that were left out.
            }
        }
        guard var error = refused.first else { return }
        if refused.count > 1 {
            error.found = Set(refused.compactMap(\.opType)).sorted().joined(separator: ", ")
        }
        throw error
    }

    private mutating func add(_ node: Node) throws {
        try naming(node) {
            let meaning = try KnownOperators.make(node: node, opsetVersion: opsetVersion)
            let inputs = try operands(of: node)
            if try fold(node, meaning, inputs) { return }
            try addStep(node, meaning, inputs)
        }
    }

    /// Folds the node if its operator allows that.
    /// - Returns: whether it was folded.
    mutating func fold(_ node: Node) throws -> Bool {
        try naming(node) {
            try fold(node, try KnownOperators.make(node: node, opsetVersion: opsetVersion), try operands(of: node))
        }
    }

    private mutating func fold(_ node: Node, _ meaning: any Operator, _ inputs: [OperatorInput?]) throws -> Bool {
        guard let foldable = meaning as? any EvaluatedOperator,
            !foldable.needsValues || inputs.allSatisfy({ $0 == nil || $0?.constant != nil })
        else { return false }
        let outputs = try outputTypes(node, meaning, inputs)
        for (name, type) in zip(node.outputs, outputs) where (type.byteCount ?? Int.max) > Self.maximumFoldedBytes {
            throw GraphError(
                .invalidInput, at: node, tensor: name, expected: "at most \(Self.maximumFoldedBytes) bytes",
                found: "\(type.shape)")
        }
        guard let values = try foldable.values(inputs: inputs, types: outputs) else { return false }
        hasFolded = true
        for (name, value) in zip(node.outputs, values) where !name.isEmpty {
            constants[name] = value
            types[name] = ValueType(value.elementType, value.shape)
        }
        return true
    }

    private mutating func addStep(_ node: Node, _ meaning: any Operator, _ inputs: [OperatorInput?]) throws {
        var (node, meaning) = (node, meaning)
        let outputs = try outputTypes(node, meaning, inputs)
        for (name, type) in zip(node.outputs, outputs) where !name.isEmpty { types[name] = type }
        if let cast = meaning as? Cast, cast.target == inputs.first??.type.elementType {
            // A cast to the type that the value has already moves no data.
            node = Node(name: node.name, opType: "Identity", inputs: node.inputs, outputs: node.outputs)
            meaning = try Reshaping(node: node, opsetVersion: opsetVersion)
        }
        steps.append(.init(node: node, operator: meaning))
    }

    private func outputTypes(
        _ node: Node, _ meaning: any Operator, _ inputs: [OperatorInput?]
    ) throws -> [ValueType] {
        let outputs = try meaning.outputTypes(inputs: inputs)
        for (name, type) in zip(node.outputs, outputs) where type.byteCount == nil {
            throw GraphError(
                .shapeMismatch, at: node, tensor: name, expected: "extents up to \(Window.limit) that fit into memory",
                found: "\(type.shape)")
        }
        return outputs
    }

    private func operands(of node: Node) throws -> [OperatorInput?] {
        try node.inputs.map { name in
            if name.isEmpty { return nil }
            guard let type = types[name] else { throw GraphError(.undefinedValue, at: node, tensor: name) }
            return OperatorInput(name: name, type: type, constant: constants[name])
        }
    }

    /// Adds the node to errors that do not name one.
    private func naming<Result>(_ node: Node, _ body: () throws -> Result) throws -> Result {
        do {
            return try body()
        } catch var error as GraphError {
            error.node = error.node ?? node.name
            error.opType = error.opType ?? node.opType
            throw error
        }
    }

    /// Without steps and constants that no output depends on any more, now that shapes are known.
    func result(for graph: Graph) -> SpecializedGraph {
        let inputs = graph.inputs.map(\.name)
        let outputs = graph.outputs.map(\.name)
        guard hasFolded else {
            return SpecializedGraph(inputs: inputs, outputs: outputs, steps: steps, constants: constants, types: types)
        }
        var needed = Set(outputs)
        var kept: [SpecializedGraph.Step] = []
        for step in steps.reversed() where !needed.isDisjoint(with: step.node.outputs) {
            needed.formUnion(step.node.inputs)
            kept.append(step)
        }
        let made = Set(kept.flatMap(\.node.outputs))
        return SpecializedGraph(
            inputs: inputs, outputs: outputs, steps: kept.reversed(),
            constants: constants.filter { needed.contains($0.key) },
            types: types.filter { needed.contains($0.key) || inputs.contains($0.key) || made.contains($0.key) })
    }
}
