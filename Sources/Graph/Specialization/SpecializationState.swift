import Definitions
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
    /// For what stands in the place of composed operators.
    private var names: FreshNames
    /// Why each node was left out that cannot be computed with the inputs that it has here.
    private var refused: [GraphError] = []

    init(graph: Graph, inputTypes: [String: ValueType]) {
        constants = graph.constants
        types = inputTypes.merging(graph.constants.mapValues { ValueType($0.elementType, $0.shape) }) { $1 }
        opsetVersion = graph.opsetVersion
        names = FreshNames(graph)
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
            try add(node, meaning, inputs)
        }
    }

    private mutating func add(_ node: Node, _ meaning: any Operator, _ inputs: [OperatorInput?]) throws {
        if let composed = meaning as? any ComposedOperator, composed.isComposed(of: inputs) {
            return try addParts(node, composed, inputs)
        }
        if try fold(node, meaning, inputs) { return }
        try addStep(node, meaning, inputs)
    }

    /// Adds the nodes that the operator is a function of.
    private mutating func addParts(
        _ node: Node, _ composed: any ComposedOperator, _ inputs: [OperatorInput?]
    ) throws {
        let types = try outputTypes(node, composed, inputs)
        var parts = Composition(of: node, names: names)
        parts.finish(try composed.compose(&parts, inputs: inputs, types: types))
        names = parts.names
        for (name, tensor) in parts.constants {
            constants[name] = tensor
            self.types[name] = ValueType(tensor.elementType, tensor.shape)
        }
        for part in parts.nodes {
            let meaning = try KnownOperators.make(node: part, opsetVersion: Composition.opsetVersion)
            try add(part, meaning, operands(of: part))
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
        if let composed = meaning as? any ComposedOperator, composed.isComposed(of: inputs) {
            return try foldParts(node, composed, inputs)
        }
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
        for (name, value) in zip(node.outputs, values) where !name.isEmpty {
            constants[name] = value
            types[name] = ValueType(value.elementType, value.shape)
        }
        return true
    }

    /// Folds a node that is a function of others, where all of them fold; only its outputs become constants.
    private mutating func foldParts(
        _ node: Node, _ composed: any ComposedOperator, _ inputs: [OperatorInput?]
    ) throws -> Bool {
        guard inputs.allSatisfy({ $0 == nil || $0?.constant != nil }) else { return false }
        var trial = self
        try trial.addParts(node, composed, inputs)
        guard trial.steps.count == steps.count else { return false }
        for name in node.outputs where !name.isEmpty {
            constants[name] = trial.constants[name]
            types[name] = trial.types[name]
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
