import CompositeOperators
import Definitions
import Nodes
import Operators
import Tensors

/// What is known while a graph is specialized, node after node.
struct Specialization {
    /// A folded value larger than this is refused: a few bytes of a file could otherwise ask for any amount of memory.
    static let maximumFoldedBytes = 1 << 32
    /// More nodes that others stand for are refused, for the same reason.
    private static let maximumExpandedNodes = 1_000_000

    /// What is wrong with a node whatever the extents are.
    private static let refusals: Set<GraphError.Code> = [
        .unsupportedOperators, .unsupportedElementType, .invalidAttribute,
    ]

    private let graph: Graph
    private(set) var constants: [String: Tensor]
    private var types: [String: ValueType]
    private var steps: [SpecializedGraph.Step] = []
    /// The values of each sequence, in order.
    private var sequences: [String: [String]] = [:]
    /// Nodes that were left out because they are not computed, at least with inputs of these types.
    private(set) var refused: [RefusedNode] = []
    private var postponed = PostponedNodes()
    private var expandedNodes = 0
    private lazy var names = ExpansionNames(FreshNames(graph))
    /// Whether each useful node is a step: else some nodes and constants may be of no use any more.
    private var hasOnlySteps = true

    init(_ graph: Graph, _ useful: UsefulNodes, inputTypes: [String: ValueType]) {
        self.graph = graph
        constants = useful.constants
        types = Dictionary(minimumCapacity: constants.count + useful.nodes.count + inputTypes.count)
        for (name, constant) in constants { types[name] = ValueType(constant.elementType, constant.shape) }
        types.merge(inputTypes) { constant, _ in constant }
        steps.reserveCapacity(useful.nodes.count)
    }

    init(foldingConstantsOf graph: Graph) {
        self.graph = graph
        constants = graph.constants
        types = graph.constants.mapValues { ValueType($0.elementType, $0.shape) }
    }

    private var opsetVersion: Int { graph.opsetVersion }

    /// Folds the nodes, expands them or adds them as steps, in order.
    /// - Parameter postpones: whether nodes may be left for later that ask for a value which the samples give.
    /// - Throws: `GraphError`; where nodes are not computed with their inputs, one that lists the op types of all of them.
    mutating func add(_ nodes: [Node], postpones: Bool) throws {
        // What a node stands for comes in its place: a loop may be as deep as it has turns.
        var pending = Array(nodes.reversed())
        while let node = pending.popLast() { pending += try addOrLeave(node).reversed() }
        let left = refused.isEmpty && !postpones ? postponed.unknown : refused.map(\.error)
        guard var error = left.first else { return }
        if left.count > 1, left.allSatisfy({ $0.code == error.code }) {
            error.found = Set(left.compactMap(\.opType)).sorted().joined(separator: ", ")
        }
        throw error
    }

    /// - Returns: the nodes that it stands for, where it is expanded.
    private mutating func addOrLeave(_ node: Node) throws -> [Node] {
        do {
            return try add(node)
        } catch let error as GraphError where error.code == .unknownParameter {
            postponed.append(node, asking: error)
        } catch let error as GraphError where Self.refusals.contains(error.code) {
            refused.append(
                RefusedNode(
                    name: node.name, opType: node.qualifiedType, inputs: node.inputs.map { types[$0] }, error: error))
        } catch  where !refused.isEmpty {
            // What else is wrong may come of the nodes that were left out.
        }
        return []
    }

    private mutating func add(_ node: Node) throws -> [Node] {
        try naming(node) {
            let meaning = try KnownOperators.make(node: node, opsetVersion: opsetVersion)
            if let expanded = meaning as? any ExpandedOperator { return try expand(node, expanded) }
            if node.opType == "Identity", let values = sequences[node.inputs[0]] {
                sequences[node.outputs[0]] = values
                hasOnlySteps = false
            } else if node.inputs.contains(where: postponed.makes) {
                postponed.append(node)
            } else {
                try add(node, meaning, operands(of: node))
            }
            return []
        }
    }

    private mutating func add(_ node: Node, _ meaning: any Operator, _ inputs: [OperatorInput?]) throws {
        if let composed = meaning as? any ComposedOperator, composed.isComposed(of: inputs) {
            return try addParts(node, composed, inputs)
        }
        if try !fold(node, meaning, inputs) { try addStep(node, meaning, inputs) }
    }

    /// Adds the nodes that the operator is a function of.
    private mutating func addParts(
        _ node: Node, _ composed: any ComposedOperator, _ inputs: [OperatorInput?]
    ) throws {
        hasOnlySteps = false
        let types = try outputTypes(node, composed, inputs)
        var parts = Composition(of: node, names: names.fresh)
        parts.finish(try composed.compose(&parts, inputs: inputs, types: types))
        names.fresh = parts.names
        define(parts.constants)
        for part in parts.nodes {
            let meaning = try KnownOperators.make(node: part, opsetVersion: Composition.opsetVersion)
            try add(part, meaning, operands(of: part))
        }
    }

    /// - Returns: the nodes that the node stands for.
    private mutating func expand(_ node: Node, _ meaning: any ExpandedOperator) throws -> [Node] {
        hasOnlySteps = false
        let inputs = try node.inputs.map { name -> ExpandedInput? in
            if name.isEmpty { return nil }
            if let values = sequences[name] { return .sequence(values) }
            if postponed.makes(name) { return .later(name) }
            return .tensor(try operand(name, of: node))
        }
        var scope = ExpansionScope(prefix: node.name, names: names)
        let expansion = try meaning.expansion(inputs, in: &scope)
        expandedNodes += expansion.nodes.count
        guard expandedNodes <= Self.maximumExpandedNodes else {
            throw GraphError(
                .unsupportedOperators, at: node, expected: "at most \(Self.maximumExpandedNodes) nodes in all turns",
                found: "more")
        }
        define(expansion.constants)
        sequences.merge(expansion.sequences) { $1 }
        return expansion.nodes
    }

    /// Adds constants that stand in the place of an operator's.
    private mutating func define(_ added: [String: Tensor]) {
        for (name, constant) in added {
            constants[name] = constant
            types[name] = ValueType(constant.elementType, constant.shape)
        }
    }

    /// The nodes of an If whose condition is a constant; nil for all other nodes.
    mutating func takenBranch(_ node: Node) throws -> [Node]? {
        guard node.opType == "If", node.inputs.count == 1, constants[node.inputs[0]] != nil else { return nil }
        return try naming(node) {
            let meaning = try KnownOperators.make(node: node, opsetVersion: opsetVersion)
            guard let branch = meaning as? Branch else { return nil }
            var scope = ExpansionScope(prefix: node.name, names: names)
            let expansion = try branch.expansion([.tensor(operand(node.inputs[0], of: node))], in: &scope)
            define(expansion.constants)
            return expansion.nodes
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
        hasOnlySteps = false
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
        try node.inputs.map { $0.isEmpty ? nil : try operand($0, of: node) }
    }

    private func operand(_ name: String, of node: Node) throws -> OperatorInput {
        guard let type = types[name] else {
            guard sequences[name] == nil else {
                throw GraphError(.invalidInput, at: node, tensor: name, expected: "a tensor", found: "a sequence")
            }
            throw GraphError(.undefinedValue, at: node, tensor: name)
        }
        return OperatorInput(name: name, type: type, constant: constants[name])
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
    func result() throws -> SpecializedGraph {
        if let output = graph.outputs.first(where: { sequences[$0.name] != nil }) {
            throw GraphError(
                .unsupportedElementType, tensor: output.name, expected: "outputs that are tensors",
                found: "a sequence")
        }
        let inputs = graph.inputs.map(\.name)
        let remainder =
            postponed.isEmpty
            ? nil : try postponed.remainder(of: graph, sequences: sequences, constants: constants, types: types)
        var outputs = graph.outputs.map(\.name).filter { !postponed.makes($0) }
        outputs += (remainder?.graph.inputs ?? []).map(\.name).filter { !outputs.contains($0) }
        guard !hasOnlySteps || remainder != nil else {
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
            types: types.filter { needed.contains($0.key) || inputs.contains($0.key) || made.contains($0.key) },
            remainder: remainder)
    }
}
