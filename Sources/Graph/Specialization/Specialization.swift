import Nodes
import Operators
import Tensors

extension Graph {
    /// The graph for given input shapes: every value gets a type; what depends on shapes and constants alone is computed;
    /// nodes without use are dropped.
    /// - Parameter inputShapes: by input name; an input whose declared extents are all fixed may be left out.
    /// - Throws: `GraphError`: inputShapeMismatch for shapes that do not fit the declarations, and what the operators
    ///   find wrong, naming the node.
    public func specialized(inputShapes: [String: Shape]) throws -> SpecializedGraph {
        try specialized(inputShapes: inputShapes, of: UsefulNodes(self))
    }

    /// - Parameter useful: those of the graph; for several sets of shapes they are found once.
    func specialized(inputShapes: [String: Shape], of useful: UsefulNodes) throws -> SpecializedGraph {
        try specialized(inputShapes: inputShapes, of: useful, postpones: false)
    }

    /// The graph for given input shapes as far as shapes go: nodes that ask for a value which the samples give, such as a
    /// condition or the places of what is not zero, are left in its `remainder`.
    /// - Throws: as `specialized` does, but for values that are not known.
    public func stagedSpecialization(inputShapes: [String: Shape]) throws -> SpecializedGraph {
        try specialized(inputShapes: inputShapes, of: UsefulNodes(self), postpones: true)
    }

    private func specialized(
        inputShapes: [String: Shape], of useful: UsefulNodes, postpones: Bool
    ) throws -> SpecializedGraph {
        let types = try inputTypes(inputShapes)
        var specialization = Specialization(self, useful, inputTypes: types)
        try specialization.add(useful.nodes, postpones: postpones)
        return try specialization.result()
    }

    /// The graph with all nodes computed whose inputs are constants (weights that are filled in, transposed or cast, for
    /// example), and branches of If in its place whose condition is a constant; shapes need not be known. Names and everything else stay.
    /// - Throws: `GraphError` naming the node.
    public func foldingConstants() throws -> Graph {
        let uses = ValueUses(self)
        var folded = self
        var specialization = Specialization(foldingConstantsOf: self)
        folded.nodes = []
        var left: [Node] = []
        // Nodes of a branch that is taken whatever the samples are come in the place of their If.
        var pending = nodes.reversed().map { (node: $0, isOwn: true) }
        while let (node, isOwn) = pending.popLast() {
            if let branch = try specialization.takenBranch(node) {
                pending += branch.reversed().map { ($0, false) }
                continue
            }
            let trimmed = isOwn ? node.withoutUnusedOutputs(uses) : node
            if !node.inputs.isEmpty, node.inputs.allSatisfy({ $0.isEmpty || specialization.constants[$0] != nil }),
                try specialization.fold(trimmed)
            {
                continue
            }
            left.append(node)
        }
        folded.nodes = left
        folded.constants = specialization.constants
        let kept = ValueUses(folded)
        // A constant that nobody used before stays: dropping it is not this function's business.
        folded.constants = folded.constants.filter { kept.isUsed($0.key) || !uses.isUsed($0.key) }
        return folded
    }

    /// Checks the shapes against what the inputs declare: fixed extents, and one extent for each symbol.
    func inputTypes(_ shapes: [String: Shape]) throws -> [String: ValueType] {
        if let unknown = shapes.keys.filter({ !isInput($0) }).min() {
            throw GraphError(
                .inputShapeMismatch, tensor: unknown, expected: inputs.map(\.name).joined(separator: ", "),
                found: unknown)
        }
        var symbols: [String: Int] = [:]
        var types: [String: ValueType] = [:]
        for input in inputs {
            guard let shape = shapes[input.name] ?? input.fixedShape else {
                throw GraphError(
                    .inputShapeMismatch, tensor: input.name, expected: input.declaration, found: "none")
            }
            let type = ValueType(input.elementType, shape)
            guard type.byteCount != nil, input.accepts(shape, symbols: &symbols) else {
                throw GraphError(
                    .inputShapeMismatch, tensor: input.name, expected: input.declaration(with: symbols),
                    found: "\(shape)")
            }
            types[input.name] = type
        }
        return types
    }
}

extension SpecializedGraph.Remainder {
    /// The remainder for the values of its inputs, which may leave a remainder of its own.
    /// - Parameter values: of all inputs.
    /// - Throws: `GraphError`.
    public func specialized(_ values: [String: Tensor]) throws -> SpecializedGraph {
        var bound = graph
        bound.inputs.removeAll { parameters.contains($0.name) }
        for name in parameters { bound.constants[name] = values[name] }
        return try bound.stagedSpecialization(inputShapes: [:])
    }
}

/// What the outputs of a graph depend on.
struct UsefulNodes {
    /// In order, with the empty name for outputs after the first that no useful node takes.
    let nodes: [Node]
    /// Those that useful nodes take or that are outputs.
    let constants: [String: Tensor]

    init(_ graph: Graph) {
        var needed = Set<String>(minimumCapacity: graph.nodes.count + graph.constants.count)
        needed.formUnion(graph.outputs.lazy.map(\.name))
        var useful: [Node] = []
        useful.reserveCapacity(graph.nodes.count)
        for node in graph.nodes.reversed() where node.outputs.contains(where: needed.contains) {
            var node = node
            // Whoever takes an output comes behind its node, and was seen.
            for index in node.outputs.indices.dropFirst() where !needed.contains(node.outputs[index]) {
                node.outputs[index] = ""
            }
            for name in node.uses { needed.insert(name) }
            useful.append(node)
        }
        nodes = useful.reversed()
        let isUseless = graph.constants.keys.contains { !needed.contains($0) }
        constants = isUseless ? graph.constants.filter { needed.contains($0.key) } : graph.constants
    }
}

extension ValueInfo {
    /// The shape, where all extents are declared as numbers.
    public var fixedShape: Shape? {
        guard let dimensions else { return nil }
        var extents: [Int] = []
        for case .fixed(let extent) in dimensions { extents.append(extent) }
        return extents.count == dimensions.count ? Shape(extents) : nil
    }

    /// The declared dimensions as text, such as `[batch, 3, ?, ?]`.
    public var declaration: String { declaration(with: [:]) }

    /// - Parameter symbols: extents of symbols that other inputs fixed.
    func declaration(with symbols: [String: Int]) -> String {
        guard let dimensions else { return "any shape" }
        let texts = dimensions.map { dimension in
            switch dimension {
            case .fixed(let extent): "\(extent)"
            case .symbolic(let name): symbols[name].map { "\(name) = \($0)" } ?? name
            case .unknown: "?"
            }
        }
        return "[" + texts.joined(separator: ", ") + "]"
    }

    func accepts(_ shape: Shape, symbols: inout [String: Int]) -> Bool {
        guard let dimensions else { return true }
        guard dimensions.count == shape.rank else { return false }
        for (dimension, extent) in zip(dimensions, shape.dimensions) {
            switch dimension {
            case .unknown: continue
            case .fixed(let declared):
                if declared != extent { return false }
            case .symbolic(let name):
                if symbols[name, default: extent] != extent { return false }
                symbols[name] = extent
            }
        }
        return true
    }
}
