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
        let types = try inputTypes(inputShapes)
        var specialization = Specialization(useful, inputTypes: types, opsetVersion: opsetVersion)
        try specialization.add(useful.nodes)
        return specialization.result(for: self)
    }

    /// The graph with inputs made constants where operators must know them before they compute: those that say extents, places or
    /// bounds. The graph itself where there are none.
    /// - Parameter values: of all inputs.
    package func bindingParameters(_ values: [String: Tensor]) -> Graph {
        var bound = self
        // Each round binds an input, or ends.
        while true {
            let fed = values.filter { bound.isInput($0.key) }
            do {
                _ = try bound.specialized(inputShapes: fed.mapValues(\.shape))
                return bound
            } catch let error as GraphError where error.code == .unknownParameter {
                let parameters = bound.inputs.filter { input in
                    input.name == error.tensor || input.elementType != .float32 || fed[input.name]?.count == 1
                }.map(\.name).filter { fed[$0] != nil }
                guard !parameters.isEmpty else { return bound }
                bound.inputs.removeAll { parameters.contains($0.name) }
                for name in parameters { bound.constants[name] = values[name] }
            } catch {
                // Whoever computes the graph says what else is wrong.
                return bound
            }
        }
    }

    /// The graph with all nodes computed whose inputs are constants (weights that are filled in, transposed or cast, for
    /// example); shapes need not be known. Names and everything else stay.
    /// - Throws: `GraphError` naming the node.
    public func foldingConstants() throws -> Graph {
        let uses = ValueUses(self)
        var folded = self
        var specialization = Specialization(foldingConstantsOf: self)
        folded.nodes = []
        var left: [Node] = []
        for node in nodes {
            let trimmed = node.withoutUnusedOutputs(uses)
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
    private func inputTypes(_ shapes: [String: Shape]) throws -> [String: ValueType] {
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
            for name in node.inputs where !name.isEmpty { needed.insert(name) }
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

extension ValueType {
    /// Nil where the number does not fit an `Int` or an extent is beyond what the window arithmetic takes.
    var byteCount: Int? {
        var bytes = elementType.size
        for extent in shape.dimensions {
            let (product, overflow) = bytes.multipliedReportingOverflow(by: extent)
            guard !overflow, extent <= Window.limit else { return nil }
            bytes = product
        }
        return bytes
    }
}
